// A card: a picture with its title, as a table too, to be saved as SVG, PNG or JSON.

import { element, shape } from "./dom.js";
import { paint } from "./colours.js";

function saved(name, kind, content) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: kind }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

export function svgText(svg) {
  const copy = svg.cloneNode(true);
  const [width, height] = [svg.getAttribute("width"), svg.getAttribute("height")];
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("font-family", "system-ui, sans-serif");
  copy.querySelectorAll("[data-passing]").forEach((each) => each.remove());
  copy.prepend(shape("rect", { width, height, fill: paint("surface") }));
  return new XMLSerializer().serializeToString(copy);
}

async function png(svg) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svgText(svg)], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = element("canvas", { width: 2 * svg.getAttribute("width"), height: 2 * svg.getAttribute("height") });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

// rows: an array of arrays of words, the first one the heads of the columns, the first column those of the rows.
export function table(caption, rows) {
  const [heads, ...body] = rows;
  return element("table", {},
    element("caption", { class: "unseen" }, caption),
    element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, body.map(([head, ...cells]) => element("tr", {},
      element("th", { scope: "row" }, head), cells.map((cell) => element("td", { class: /^[-\u2013\d.,]*$/.test(cell) ? null : "words" }, cell))))));
}

// Keeps over redrawing whether a card shows its table.
const asTables = new Set();

export function card({ name, title, hint, picture, data, rows, wide }) {
  const svg = picture instanceof SVGElement ? picture : picture && picture.querySelector("svg[data-picture]");
  const body = element("div", {}, picture);
  const place = element("div", { class: "scroll", hidden: true });
  const tools = element("div", { class: "tools", role: "group", "aria-label": `${title}: forms` });
  if (rows) {
    const toggle = element("button", { type: "button", onclick: () => show(!asTables.has(name)) }, "Table");
    const show = (isTable) => {
      if (isTable) asTables.add(name); else asTables.delete(name);
      toggle.setAttribute("aria-pressed", String(isTable));
      body.hidden = isTable;
      place.hidden = !isTable;
      place.replaceChildren(...(isTable ? [table(title, rows())] : []));
    };
    show(asTables.has(name));
    tools.append(toggle);
  }
  if (svg) {
    tools.append(
      element("button", { type: "button", onclick: () => saved(`${name}.svg`, "image/svg+xml", svgText(svg)) }, "SVG"),
      element("button", { type: "button", onclick: async () => saved(`${name}.png`, "image/png", await png(svg)) }, "PNG"));
  }
  if (data) tools.append(element("button", { type: "button", onclick: () => saved(`${name}.json`, "application/json", JSON.stringify(data(), null, 1)) }, "JSON"));
  return element("section", { class: `card${wide ? " wide" : ""}`, "data-card": name, "aria-label": title },
    element("header", {}, element("h3", {}, title), hint ? element("p", {}, hint) : null, tools), body, place);
}
