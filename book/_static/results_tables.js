// Tables inside <div class="ris-results"> can be sorted by their headings, and long ones filtered by
// words. Without this script, or on paper, the whole table is simply there.
"use strict";

const LONG = 6; // rows from which a filter helps

/** The number at the beginning of a cell: "71.06†", "1.94M", "36.6 (31.6 to 41.7)", "+2.0". */
function numberOf(text) {
  const match = /^([-+−]?[\d.,]*\d)\s?([KM%]?)/.exec(text);
  if (!match || match[2] === "%") return NaN; // a share is no count
  const value = Number(match[1].replace("−", "-").replaceAll(",", ""));
  return value * { K: 1e3, M: 1e6, "": 1 }[match[2]];
}

function textOf(row, column) {
  return row.cells[column].textContent.trim();
}

/** Sort by a column; cells without a number, or empty ones, stay at the end in both directions. */
function sortRows(body, column, descending) {
  const rows = [...body.rows];
  const isEmpty = (text) => text === "" || text === "–";
  const filled = rows.map((row) => textOf(row, column)).filter((text) => !isEmpty(text));
  const numbers = filled.filter((text) => !Number.isNaN(numberOf(text))).length;
  const isNumeric = 2 * numbers > filled.length;
  const keyOf = (row) => (isNumeric ? numberOf(textOf(row, column)) : textOf(row, column));
  const isMissing = (key) => (isNumeric ? Number.isNaN(key) : isEmpty(key));
  rows
    .map((row) => ({ row, key: keyOf(row) }))
    .sort((a, b) => {
      if (isMissing(a.key) || isMissing(b.key)) return isMissing(a.key) - isMissing(b.key);
      const order = isNumeric ? a.key - b.key : a.key.localeCompare(b.key, "en");
      return descending ? -order : order;
    })
    .forEach(({ row }) => body.append(row));
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    button.textContent = head.textContent.trim();
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      // The first press shows the largest numbers, or the first words.
      const first = head.classList.contains("text-right") ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const direction = head.getAttribute("aria-sort") === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", direction);
      sortRows(table.tBodies[0], column, direction === "descending");
    });
  });
}

function makeFilter(table) {
  const rows = [...table.tBodies[0].rows];
  const label = document.createElement("label");
  label.textContent = "Show rows with ";
  const input = document.createElement("input");
  input.type = "search";
  label.append(input);
  const count = document.createElement("output");
  const line = document.createElement("div");
  line.className = "ris-filter";
  line.append(label, count);
  const update = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  };
  input.addEventListener("input", update);
  update();
  (table.closest(".pst-scrollable-table-container") ?? table).before(line);
}

function enhance() {
  for (const mark of document.querySelectorAll(".ris-point")) {
    const center = () => mark.querySelector("path").scrollIntoView({ block: "nearest", inline: "center" });
    mark.addEventListener("focus", center); // on a phone the figure is wider than the page
  }
  for (const box of document.querySelectorAll(".ris-results")) {
    for (const table of box.querySelectorAll("table")) {
      makeSortable(table);
      if (table.tBodies[0].rows.length >= LONG) makeFilter(table);
      const title = box.querySelector("strong");
      if (title) table.setAttribute("aria-label", title.textContent);
    }
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", enhance);
else enhance();
