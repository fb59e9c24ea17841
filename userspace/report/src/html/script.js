"use strict";
// Sorts tables, widens frames of the flame graph, opens what a link leads to. The page is whole without it.
(() => {
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent.trim() : BigInt(cell.dataset.v);
  };
  const compare = (a, b) => typeof a === "bigint" && typeof b === "bigint"
    ? (a < b ? -1 : a > b ? 1 : 0) : String(a).localeCompare(String(b), "en", { numeric: true });
  const sort = (table, column) => {
    const heads = [...table.tHead.rows[0].cells];
    const head = heads[column];
    const numbers = head.classList.contains("n");
    const was = head.getAttribute("aria-sort");
    const down = was ? was === "ascending" : numbers;
    heads.forEach((h) => h.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [value(row, column), row]);
    rows.sort((a, b) => down ? compare(b[0], a[0]) : compare(a[0], b[0]));
    body.append(...rows.map((r) => r[1]));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, column));
      head.append(button);
    });
  }

  const svg = document.getElementById("flame-svg");
  if (svg) {
    const told = document.getElementById("flame-told");
    const wide = svg.viewBox.baseVal.width;
    const frames = [...svg.querySelectorAll(".frame")].map((g) => {
      const rect = g.querySelector("rect");
      return { g, rect, text: g.querySelector("text"), depth: Number(g.dataset.d),
        x: Number(rect.getAttribute("x")), w: Number(rect.getAttribute("width")) };
    });
    const zoom = (to) => {
      for (const f of frames) {
        const above = f.depth <= to.depth && f.x <= to.x + 0.5 && f.x + f.w >= to.x + to.w - 0.9;
        const inside = f.depth >= to.depth && f.x >= to.x - 0.5 && f.x + f.w <= to.x + to.w + 0.9;
        f.g.classList.toggle("outside", !above && !inside);
        const x = above ? 0 : (f.x - to.x) / to.w * wide;
        const w = above ? wide : f.w / to.w * wide;
        f.rect.setAttribute("x", x);
        f.rect.setAttribute("width", w);
        f.text.setAttribute("x", x + 4);
        const fits = Math.floor((w - 8) / 6.6);
        const label = [...f.g.dataset.l];
        f.text.textContent = fits < 3 ? "" : label.length <= fits ? label.join("") : label.slice(0, fits - 1).join("") + "…";
      }
    };
    const tell = (f) => { told.textContent = f.g.querySelector("title").textContent; };
    for (const f of frames) {
      f.g.setAttribute("tabindex", "0");
      f.g.setAttribute("role", "button");
      f.g.addEventListener("mouseenter", () => tell(f));
      f.g.addEventListener("focus", () => tell(f));
      f.g.addEventListener("click", () => { tell(f); zoom(f); });
      f.g.addEventListener("keydown", (e) => {
        if (e.key === "Enter" || e.key === " ") { e.preventDefault(); zoom(f); }
      });
    }
  }

  const open = () => {
    const to = document.getElementById(location.hash.slice(1));
    if (!to) return;
    for (let e = to; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    for (const e of to.querySelectorAll(":scope > details")) e.open = true;
    to.scrollIntoView();
  };
  addEventListener("hashchange", open);
  if (location.hash) open();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
})();
