// Elements, made of a name, attributes and children.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) node.append(child);
  return node;
}

export function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function shape(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

// A piece as people read it: SentencePiece writes a space as a low line.
export function shown(piece) {
  return piece.replaceAll("\u2581", "\u00b7").replaceAll(" ", "\u00b7");
}

export function shortened(word, most) {
  const characters = [...word];
  return characters.length <= most ? word : characters.slice(0, most - 1).join("") + "\u2026";
}

export function written(value, digits = 3) {
  if (value === null || value === undefined) return "\u2013";
  const told = value.toFixed(digits);
  return Number(told) === 0 ? told.replace("-", "") : told;
}

// What a screen reader is told.
export function say(words) {
  document.getElementById("said").textContent = words;
}

export function showTip(event, lines) {
  const tip = document.getElementById("tip");
  const [title, ...rest] = lines;
  tip.replaceChildren(element("b", {}, title), ...rest.map((line) => element("div", {}, line)));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const at = event.clientX === undefined ? event : { x: event.clientX, y: event.clientY };
  const x = Math.min(at.x + 14, window.innerWidth - box.width - 8);
  const y = at.y + 18 + box.height > window.innerHeight ? at.y - box.height - 10 : at.y + 18;
  tip.style.left = `${Math.max(8, x)}px`;
  tip.style.top = `${Math.max(8, y)}px`;
}

export function hideTip() {
  document.getElementById("tip").hidden = true;
}
