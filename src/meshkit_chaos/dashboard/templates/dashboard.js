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
  input.form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", apply);
  apply();
}
