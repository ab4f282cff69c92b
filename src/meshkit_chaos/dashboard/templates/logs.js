"use strict";
// What members said: only what is in the part of the run that is shown, of the members, levels and words that were asked for.
for (const list of document.querySelectorAll("[data-logs]")) {
  const rows = [...list.querySelectorAll("tbody tr")];
  const form = list.querySelector("[data-logs-filter]");
  const count = list.querySelector("[data-logs-count]");
  const course = document.querySelector(".course[data-start]");
  const lines = rows.filter((row) => !row.classList.contains("log-mark")).length;
  let part = { whole: true };
  const apply = () => {
    const member = form.elements.member.value;
    const level = form.elements.level.value;
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const mark = row.classList.contains("log-mark");
      const at = row.dataset.at === undefined ? NaN : Number(row.dataset.at);
      const inside = part.whole || (at >= part.from && at <= part.to);
      const text = words.length ? row.textContent.toLowerCase() : "";
      const asked = mark || ((!member || row.children[1].textContent === member)
        && (!level || row.className === "error" || (level === "warning" && row.className === "warning"))
        && words.every((word) => text.includes(word)));
      row.hidden = !(inside && asked);
      shown += row.hidden || mark ? 0 : 1;
    }
    count.textContent = shown === lines ? `${lines} lines` : `${shown} of ${lines} lines`;
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", apply);
  document.addEventListener("zoomed", (event) => { part = event.detail; apply(); });
  list.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-at]");
    if (row && course && !String(getSelection())) course.dispatchEvent(new CustomEvent("around", { detail: Number(row.dataset.at) }));
  });
  if (course && course.dataset.from) {
    const [start, end, from, to] = ["start", "end", "from", "to"].map((name) => Number(course.dataset[name]));
    part = { from, to, whole: from <= start + 1e-6 && to >= end - 1e-6 };
  }
  apply();
}
