"use strict";
// A link to a journal event opens what hides it; paper shows everything; a pointer reads the time across all plots of a run.
(function () {
  function decoded(name) { try { return decodeURIComponent(name); } catch { return name; } } // a link may say anything
  function reveal() {
    const target = location.hash && document.getElementById(decoded(location.hash.slice(1)));
    for (let box = target && target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    if (target) target.scrollIntoView({ block: "center" });
  }
  addEventListener("hashchange", reveal);
  reveal();

  addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open])").forEach(function (box) { box.dataset.shut = ""; box.open = true; });
  });
  addEventListener("afterprint", function () {
    document.querySelectorAll("details[data-shut]").forEach(function (box) { box.open = false; delete box.dataset.shut; });
  });

  // Close-ups have a time axis of their own and are left out.
  const WHOLE = ".plot:not(.close-up), .time-line";
  const SVG = "http://www.w3.org/2000/svg";
  document.querySelectorAll(".course[data-start]").forEach(function (course) {
    const drawings = course.querySelectorAll(WHOLE);
    let lines = [], label = null;
    function clear() { lines.forEach(function (line) { line.remove(); }); lines = []; if (label) label.remove(); label = null; }
    course.addEventListener("pointerleave", clear);
    course.addEventListener("pointermove", function (event) {
      const start = Number(course.dataset.from || course.dataset.start), end = Number(course.dataset.to || course.dataset.end);
      const over = event.target.closest(WHOLE);
      if (!over) { clear(); return; }
      const place = over.getBoundingClientRect();
      const share = Math.min(Math.max((event.clientX - place.left) / place.width, 0), 1);
      if (!lines.length) {
        drawings.forEach(function (drawing) {
          const line = document.createElementNS(SVG, "line");
          line.setAttribute("class", "cross"); line.setAttribute("y1", "0"); line.setAttribute("y2", "100%");
          drawing.append(line); lines.push(line);
        });
      }
      if (!label || label.parentNode !== over) {
        if (label) label.remove();
        label = document.createElementNS(SVG, "text");
        label.setAttribute("class", "cross-time"); over.append(label);
      }
      const x = (share * 100).toFixed(3) + "%";
      lines.forEach(function (line) { line.setAttribute("x1", x); line.setAttribute("x2", x); });
      label.setAttribute("x", x); label.setAttribute("y", String(event.clientY - place.top - 8));
      label.setAttribute("dx", share > 0.85 ? "-6" : "6"); label.setAttribute("text-anchor", share > 0.85 ? "end" : "start");
      label.textContent = (start + (end - start) * share).toFixed(2).replace("-", "−") + " s";
    });
  });
})();
