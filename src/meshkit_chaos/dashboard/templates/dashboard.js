"use strict";
// Filters: rows whose words hold every word that was typed. Works from a file as from a server.
for (const input of document.querySelectorAll("[data-filter]")) {
  const table = document.querySelector(`[data-filtered="${input.dataset.filter}"]`);
  const count = document.querySelector(`[data-count="${input.dataset.filter}"]`);
  const rows = [...table.querySelectorAll("[data-search]")];
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => row.dataset.search.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    const noun = input.dataset.noun || "scenarios";
    if (count) count.textContent = shown === rows.length ? `${shown} ${noun}` : `${shown} of ${rows.length} ${noun}`;
  };
  input.form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", apply);
  apply();
}
// "/" goes to the filter, as people expect.
document.addEventListener("keydown", (event) => {
  const first = document.querySelector("[data-filter]");
  if (event.key === "/" && first && event.target === document.body) {
    event.preventDefault();
    first.focus();
  }
});
// What if: the judge's own rule. All of the interval within the limit passes, all of it beyond fails, anything else is open.
for (const input of document.querySelectorAll("[data-what-if] input")) {
  const said = input.closest("p").querySelector("[data-said]");
  const apply = () => {
    const limit = input.valueAsNumber;
    const lo = Number(input.dataset.lo);
    const hi = input.dataset.hi === "" ? Infinity : Number(input.dataset.hi);
    said.textContent = Number.isNaN(limit) ? "" : hi <= limit ? "would pass" : lo > limit ? "would fail" : "would be inconclusive";
    said.className = Number.isNaN(limit) ? "" : hi <= limit ? "word pass" : lo > limit ? "word fail" : "word inconclusive";
  };
  // A server judges the whole run again; the newest question is the one that is answered.
  let asked = 0;
  const ask = async () => {
    const limit = input.valueAsNumber;
    if (!input.form.dataset.ask || !(limit > 0)) return;
    const mine = ++asked;
    const query = new URLSearchParams({ objective: input.dataset.objective, within: limit });
    try {
      const answer = await fetch(`${input.form.dataset.ask}?${query}`);
      const told = await answer.json();
      if (mine !== asked) return;
      if (!answer.ok) { said.textContent += ` (not judged again: ${told.error})`; return; }
      said.textContent = `the objective would be ${told.finding.verdict}, the run ${told.verdict}: ${told.finding.sentence}`;
      said.className = `word ${told.verdict}`;
    } catch {
      if (mine === asked) said.textContent += " (the server cannot be reached)";
    }
  };
  input.addEventListener("change", ask);
  input.addEventListener("input", () => { asked += 1; });
  input.form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", apply);
  apply();
}
// Runs in progress: the stream says where each is and what happened. Whatever it says is put there as text.
for (const list of document.querySelectorAll("[data-live]")) {
  const state = document.getElementById("live-state");
  const block = (key) => {
    const found = [...list.children].find((one) => one.dataset.run === key);
    if (found) return found;
    const made = document.createElement("section");
    made.className = "sheet-block";
    made.dataset.run = key;
    for (const [tag, name] of [["h2", "title"], ["p", "phase"], ["p", "alarm"], ["p", "silent"], ["ol", "lines"]]) {
      const part = made.appendChild(document.createElement(tag));
      part.dataset[name] = "";
      if (name === "lines") {
        part.className = "live-lines";
        part.tabIndex = 0;
        part.setAttribute("aria-label", "What happened");
      }
      if (name === "title") part.className = "block-title";
    }
    list.append(made);
    return made;
  };
  const stream = new EventSource(list.dataset.live);
  stream.addEventListener("open", () => {
    state.textContent = "live";
    for (const lines of list.querySelectorAll("[data-lines]")) lines.replaceChildren(); // it tells everything again
  });
  stream.addEventListener("error", () => { state.textContent = "the connection is lost; trying again"; });
  stream.addEventListener("runs", (event) => {
    const runs = JSON.parse(event.data);
    document.getElementById("live-none").hidden = runs.length > 0;
    for (const one of [...list.children]) if (!runs.some((run) => run.key === one.dataset.run)) one.classList.add("aside");
    for (const run of runs) {
      const made = block(run.key);
      const title = made.querySelector("[data-title]");
      if (title) title.textContent = run.title;
      made.querySelector("[data-phase]").textContent = run.phase;
      made.querySelector("[data-alarm]").textContent = run.alarm;
      made.querySelector("[data-silent]").textContent = run.silent ? `Nothing was written for ${run.silent} s: its runner may have died.` : "";
    }
  });
  stream.addEventListener("line", (event) => {
    const line = JSON.parse(event.data);
    const item = document.createElement("li");
    item.textContent = `${line.alarm ? "! " : ""}${line.seconds.toFixed(1)} s  ${line.word}: ${line.text}`;
    if (line.alarm) item.className = "word fail";
    const lines = block(line.key).querySelector("[data-lines]");
    lines.append(item);
    while (lines.children.length > 200) lines.firstElementChild.remove();
  });
}
// The course of a scenario: the newest is in sight, what a run says stands below, and the arrow keys go from run to run.
for (const figure of document.querySelectorAll("[data-course]")) {
  const said = figure.querySelector("[data-readout]");
  const region = figure.querySelector(".over-nights");
  const runs = [...figure.querySelectorAll("a[aria-label]")];
  region.scrollLeft = region.scrollWidth;
  runs.forEach((run, index) => run.setAttribute("tabindex", index === runs.length - 1 ? "0" : "-1"));
  const tell = (event) => {
    const run = event.target.closest("a[aria-label]");
    if (run) said.textContent = run.getAttribute("aria-label");
  };
  figure.addEventListener("pointerover", tell);
  figure.addEventListener("focusin", tell);
  figure.addEventListener("keydown", (event) => {
    const at = runs.indexOf(event.target.closest("a[aria-label]"));
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: runs.length - 1 };
    if (at < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const next = runs[Math.min(Math.max(steps[event.key], 0), runs.length - 1)];
    runs[at].setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}
