"use strict";
// Filters: rows whose words hold every word that was typed. Works from a file as from a server.
for (const input of document.querySelectorAll("[data-filter]")) {
  const table = document.querySelector(`[data-filtered="${input.dataset.filter}"]`);
  const count = document.querySelector(`[data-count="${input.dataset.filter}"]`);
  const rows = [...table.querySelectorAll("[data-search]")];
  const texts = rows.map((row) => row.dataset.search || row.textContent.toLowerCase());
  const groups = [...table.querySelectorAll("[data-group]")];
  const folds = [...table.querySelectorAll("[data-more]")];
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => texts[index].includes(word));
      shown += row.hidden ? 0 : 1;
    });
    for (const group of groups) group.hidden = !group.querySelector("[data-search]:not([hidden])");
    for (const more of folds) {
      const left = more.querySelectorAll("[data-search]:not([hidden])").length;
      more.hidden = !left;
      more.firstElementChild.textContent = `${left} more`;
      more.open = words.length > 0 && left > 0 && !more.previousElementSibling.querySelector("[data-search]:not([hidden])");
    }
    const nouns = input.dataset.noun || "scenarios";
    const noun = rows.length === 1 ? nouns.replace(/ies$/, "y").replace(/s$/, "") : nouns;
    if (count) count.textContent = shown === rows.length ? `${shown} ${noun}` : `${shown} of ${rows.length} ${noun}`;
  };
  const inSight = () => rows.filter((row) => !row.hidden && row.getClientRects().length);
  const first = () => inSight()[0]?.querySelector("a");
  input.form.addEventListener("submit", (event) => {
    if (input.form.hasAttribute("action")) return; // a server answers
    event.preventDefault();
    if (groups.length && input.value.trim()) first()?.click();
  });
  // Arrows go from the field through what is shown, and back.
  const step = (event, from, by) => {
    const links = inSight().map((row) => row.querySelector("a")).filter(Boolean);
    const next = from + by < 0 ? input : links[from + by];
    if (next) { event.preventDefault(); next.focus(); }
  };
  input.addEventListener("keydown", (event) => { if (event.key === "ArrowDown") step(event, -1, 1); });
  table.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest("[data-search]");
    if (!by || !row || event.target !== row.querySelector("a")) return;
    step(event, inSight().indexOf(row), by);
  });
  input.addEventListener("input", apply);
  const given = new URLSearchParams(location.hash.slice(1)).get("filter") || (groups.length && new URLSearchParams(location.search).get("q"));
  if (given) input.value = given;
  apply();
}
// "/" goes to the filter, as people expect, and "s" to the search.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const first = document.querySelector("[data-filter]");
  const search = document.querySelector('nav a[href$="search.html"]');
  const there = search?.hasAttribute("aria-current") || (event.key === "/" && first) ? first : null;
  if (event.key !== "/" && event.key !== "s") return;
  event.preventDefault();
  if (there) there.focus();
  else search?.click();
});
// What if: the judge's own rule. All of the interval within the limit passes, all of it beyond fails, anything else is open.
// Beyond the limit that was judged, nobody here knows whether the run was watched for so long; without that there is no pass.
for (const input of document.querySelectorAll("[data-what-if] input")) {
  const said = input.closest("p").querySelector("[data-said]");
  const apply = () => {
    const limit = input.valueAsNumber > 0 ? input.valueAsNumber : NaN; // no time is shorter than none
    const lo = Number(input.dataset.lo);
    const hi = input.dataset.hi === "" ? Infinity : Number(input.dataset.hi);
    const watched = limit <= Number(input.defaultValue);
    const [tone, text] = Number.isNaN(limit) ? ["", ""]
      : hi <= limit && watched ? ["pass", "would pass"]
      : hi <= limit ? ["inconclusive", `would pass, if it was watched for ${limit} s`]
      : lo > limit ? ["fail", "would fail"]
      : ["inconclusive", "would be inconclusive"];
    said.textContent = text;
    said.className = tone && `word ${tone}`;
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
// Times are told in UTC. A reader may have them by the own clock: only what is shown changes, and it can be taken back.
for (const button of document.querySelectorAll("[data-zone]")) {
  const said = document.querySelector("[data-zone-said]");
  const [here, utc] = [Intl.DateTimeFormat().resolvedOptions().timeZone, said.textContent];
  const pattern = /(\d{4}-\d\d-\d\d) (\d\d:\d\d)(:\d\d)?(?: UTC|Z)/g;
  const told = new Map(); // each text that was changed, and what it said
  const two = (number) => String(number).padStart(2, "0");
  const local = (text, day, minute, second = "") => {
    const at = new Date(`${day}T${minute}${second || ":00"}Z`);
    if (Number.isNaN(at.getTime())) return text;
    const ahead = -at.getTimezoneOffset();
    const zone = `${ahead < 0 ? "\u2212" : "+"}${two(Math.floor(Math.abs(ahead) / 60))}:${two(Math.abs(ahead) % 60)}`;
    const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    return `${date} ${two(at.getHours())}:${two(at.getMinutes())}${second && `:${two(at.getSeconds())}`} ${zone}`;
  };
  const toLocal = () => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      if (["SCRIPT", "STYLE", "CODE", "PRE"].includes(node.parentElement.tagName)) continue;
      const changed = node.data.replace(pattern, local);
      if (changed !== node.data) {
        told.set(node, node.data);
        node.data = changed;
      }
    }
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const back = told.size > 0;
    if (back) for (const [node, text] of told) node.data = text;
    if (back) told.clear();
    else toLocal();
    said.textContent = back ? utc : `times as in ${here}; days are UTC`;
    button.textContent = back ? "Show my local time" : "Show times in UTC";
  });
}
// What is folded is printed too.
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details:not([open])")) one.open = true;
});
// What a cell says, shown to those who point at it: it stands in the page once.
for (const table of document.querySelectorAll(".cells")) {
  table.addEventListener("pointerover", (event) => {
    const told = event.target.closest("[aria-label]");
    if (told && table.contains(told)) told.title = told.getAttribute("aria-label");
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
