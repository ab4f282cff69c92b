"use strict";
// One stretch of time for all drawings of a run, and for its journal. Drawings are placed in percent of their width, so a part of
// one is shown by making what is in it wider than its frame; nothing is drawn anew but the ticks. Without script: the whole run.
(function () {
  const SVG = "http://www.w3.org/2000/svg";
  const WHOLE = ".plot:not(.close-up), .time-line";
  const SHORTEST = 0.001;
  function all(from, to, start, end) { return from <= start + 1e-6 && to >= end - 1e-6; }
  function make(tag, attributes) {
    const made = document.createElementNS(SVG, tag);
    for (const name of Object.keys(attributes)) made.setAttribute(name, String(attributes[name]));
    return made;
  }
  // What is inside moves; numbers of the value axis and names of lanes stay.
  function enclose(drawing) {
    const frame = make("svg", { width: "100%", height: "100%", overflow: "visible" });
    const world = make("svg", { x: "0", width: "100%", height: "100%", overflow: "visible" });
    const fixed = [...drawing.querySelectorAll(":scope > text.tick[dx], :scope > text.lane-name")];
    const label = drawing.querySelector(":scope > text.tick:not([dx])");
    const line = drawing.querySelector(":scope > line.grid[y1]:not([y1='']):not([x1='0%'])");
    const tall = Number(drawing.getAttribute("height"));
    world.append(...[...drawing.childNodes].filter(function (one) { return !fixed.includes(one); }));
    const ruled = make("g", {});
    frame.append(world);
    drawing.append(ruled, frame, ...fixed);
    const own = [...world.querySelectorAll(":scope > text.tick:not([dx]), :scope > line.grid")].filter(function (one) {
      return one.tagName !== "line" || one.getAttribute("x1") === one.getAttribute("x2");
    });
    return {
      frame: frame, world: world, ruled: ruled, own: own, y: label ? label.getAttribute("y") : String(tall - 6),
      top: line ? line.getAttribute("y1") : "0", bottom: line ? line.getAttribute("y2") : String(tall - 20),
      phases: [...world.querySelectorAll(":scope > svg > text.phase-label")],
    };
  }
  function step(span, wanted) {
    const power = Math.pow(10, Math.floor(Math.log10(span / wanted)));
    return [1, 2, 5, 10].map(function (one) { return one * power; }).find(function (one) { return one * wanted >= span * (1 - 1e-9); });
  }
  function place(drawing, from, to, start, end) {
    const whole = all(from, to, start, end);
    const share = (to - from) / (end - start);
    drawing.frame.setAttribute("overflow", whole ? "visible" : "hidden");
    drawing.world.setAttribute("x", `${(-100 * (from - start)) / (end - start) / share}%`);
    drawing.world.setAttribute("width", `${100 / share}%`);
    for (const one of drawing.own) one.toggleAttribute("data-away", !whole);
    drawing.ruled.replaceChildren();
    for (const text of drawing.phases) stay(text, from, to, start, end);
    if (whole) return;
    const by = step(to - from, 8), digits = Math.max(0, -Math.floor(Math.log10(by) + 1e-9));
    for (let at = Math.ceil(from / by - 1e-9) * by, index = 0; at <= to + by * 1e-9; at += by, index += 1) {
      const share = (100 * (at - from)) / (to - from), x = `${share.toFixed(3)}%`;
      drawing.ruled.append(make("line", { x1: x, x2: x, y1: drawing.top, y2: drawing.bottom, class: "grid" }));
      const anchor = share < 3 ? "start" : share > 97 ? "end" : "middle";
      const text = make("text", { x: x, y: drawing.y, "text-anchor": anchor, class: index % 2 ? "tick minor" : "tick" });
      text.textContent = `${(Math.abs(at) < by / 2 ? 0 : at).toFixed(digits).replace("-", "−")} s`;
      drawing.ruled.append(text);
    }
  }
  // The name of a phase stays in sight as long as the phase is.
  function stay(text, from, to, start, end) {
    const block = text.parentNode, span = end - start;
    const begins = start + (parseFloat(block.getAttribute("x")) / 100) * span, lasts = (parseFloat(block.getAttribute("width")) / 100) * span;
    const hidden = Math.min(Math.max((from - begins) / lasts, 0), 1);
    text.setAttribute("x", `${(100 * hidden).toFixed(3)}%`);
    text.setAttribute("dx", "6");
  }

  const courses = document.querySelectorAll(".course[data-start]");
  courses.forEach(function (course) {
    const form = course.querySelector("[data-zoom]");
    const start = Number(course.dataset.start), end = Number(course.dataset.end);
    if (!form || !(end > start)) return;
    const drawings = [...course.querySelectorAll(WHOLE)].map(enclose);
    const buttons = [...form.querySelectorAll("[data-from]")];
    const inputs = ["from", "to"].map(function (name) { return form.querySelector(`[name=${name}]`); });
    const run = course.closest(".run") || document;
    const events = [...run.querySelectorAll(".events tr[data-at]")];
    const told = run.querySelector("[data-in-window]");
    let from = start, to = end;
    form.hidden = false;

    function show(a, b) {
      const span = Math.min(Math.max(b - a, SHORTEST), end - start);
      from = Math.min(Math.max(a, start), end - span);
      to = from + span;
      const whole = all(from, to, start, end);
      course.dataset.from = String(from); course.dataset.to = String(to);
      for (const drawing of drawings) place(drawing, from, to, start, end);
      inputs[0].value = from.toFixed(3); inputs[1].value = to.toFixed(3);
      inputs[0].setCustomValidity("");
      for (const one of buttons) one.setAttribute("aria-pressed", String(near(Number(one.dataset.from), from) && near(Number(one.dataset.to), to)));
      let shown = 0;
      for (const row of events) {
        row.hidden = !(whole || (Number(row.dataset.at) >= from && Number(row.dataset.at) <= to));
        shown += row.hidden ? 0 : 1;
      }
      if (told) told.textContent = whole ? "" : `${shown} of ${events.length} events are in the part of the run that is shown.`;
      course.dispatchEvent(new CustomEvent("zoomed", { bubbles: true, detail: { from: from, to: to, whole: whole } }));
    }
    function near(a, b) { return Math.abs(a - b) < 0.0015; }
    function around(at) {
      const half = all(from, to, start, end) ? Math.min(5, (end - start) / 4) : (to - from) / 2;
      show(at - half, at + half);
    }
    for (const one of buttons) one.addEventListener("click", function () { show(Number(one.dataset.from), Number(one.dataset.to)); });
    const STEPS = { earlier: [-0.5, -0.5], later: [0.5, 0.5], closer: [0.25, -0.25], farther: [-0.5, 0.5] };
    form.querySelectorAll("[data-step]").forEach(function (one) {
      const by = STEPS[one.dataset.step];
      one.addEventListener("click", function () { const span = to - from; show(from + by[0] * span, to + by[1] * span); });
    });
    form.addEventListener("change", function () {
      const a = inputs[0].valueAsNumber, b = inputs[1].valueAsNumber;
      if (a < b) { show(a, b); return; }
      inputs[0].setCustomValidity("from must be before to"); inputs[0].reportValidity();
    });
    // Drag over a drawing with a mouse or a pen; a finger scrolls.
    let drag = null;
    course.addEventListener("pointerdown", function (event) {
      const over = event.target.closest(WHOLE);
      if (!over || event.button || event.pointerType === "touch") return;
      const box = over.getBoundingClientRect();
      drag = { box: box, at: event.clientX, over: over, mark: make("rect", { y: "0", height: "100%", class: "zoom-mark" }) };
      event.preventDefault();
    });
    addEventListener("pointermove", function (event) {
      if (!drag) return;
      const [a, b] = [drag.at, event.clientX].map(function (x) { return Math.min(Math.max((x - drag.box.left) / drag.box.width, 0), 1) * 100; });
      drag.mark.setAttribute("x", `${Math.min(a, b)}%`); drag.mark.setAttribute("width", `${Math.abs(a - b)}%`);
      if (!drag.mark.parentNode && Math.abs(drag.at - event.clientX) > 4) drag.over.append(drag.mark);
    });
    addEventListener("pointerup", function (event) {
      if (!drag) return;
      const done = drag, span = to - from;
      drag = null;
      if (!done.mark.parentNode) return;
      done.mark.remove();
      const [a, b] = [done.at, event.clientX].map(function (x) { return from + span * Math.min(Math.max((x - done.box.left) / done.box.width, 0), 1); });
      show(Math.min(a, b), Math.max(a, b));
    });
    addEventListener("pointercancel", function () { if (drag) drag.mark.remove(); drag = null; });
    course.addEventListener("dblclick", function (event) { if (event.target.closest(WHOLE)) show(start, end); });
    // An event of the journal, and a link to one, move the window there.
    for (const row of events) row.addEventListener("click", function () { around(Number(row.dataset.at)); });
    addEventListener("hashchange", function () { const row = target(); if (row) { around(Number(row.dataset.at)); row.scrollIntoView({ block: "center" }); } });
    // The names are encoded, since what a link says may not be decodable.
    function target() { return events.find(function (row) { return [row.id, encodeURIComponent(row.id)].includes(location.hash.slice(1)); }); }
    course.addEventListener("around", function (event) { around(event.detail); });
    if (target()) around(Number(target().dataset.at)); else show(start, end);
  });
})();
