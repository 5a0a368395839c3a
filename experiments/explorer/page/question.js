// The source: typed text, and its pieces, each of which can be edited, left out or hidden.

import { element, shown } from "./dom.js";
import { isRecorded } from "./ask.js";

function placeIn(text, pieces, number) {
  let from = 0;
  for (let place = 0; place <= number; place += 1) {
    const word = pieces[place].replaceAll("\u2581", " ").trim();
    const found = word === "" ? -1 : text.indexOf(word, from);
    if (place === number) return found < 0 ? null : [found, found + word.length];
    if (found >= 0) from = found + word.length;
  }
  return null;
}

function toggled(list, number) {
  return list.includes(number) ? list.filter((each) => each !== number) : [...list, number].sort((one, other) => one - other);
}

let opened = null;

export function closeMenu() {
  if (opened === null) return;
  opened.menu.remove();
  opened.button.setAttribute("aria-expanded", "false");
  opened = null;
}

function openMenu(button, options) {
  const again = opened !== null && opened.button === button;
  closeMenu();
  if (again) return;
  const menu = element("div", { class: "menu", role: "menu" }, options.map(([word, act]) => element("button", { type: "button", role: "menuitem", onclick: () => { closeMenu(); act(); } }, word)));
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") { closeMenu(); button.focus(); }
    if (step) { event.preventDefault(); items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus(); }
  });
  button.after(menu);
  button.setAttribute("aria-expanded", "true");
  opened = { menu, button };
  menu.firstChild.focus();
}

document.addEventListener("click", (event) => {
  if (opened !== null && !opened.menu.contains(event.target) && !opened.button.contains(event.target)) closeMenu();
});

export function pieces(look, state, area, change) {
  const { source } = look;
  const last = source.pieces.length - 1;
  return source.pieces.map((piece, number) => {
    const kind = source.left_out.includes(number) ? " out" : source.hidden.includes(number) ? " hidden" : "";
    const button = element("button", { type: "button", disabled: isRecorded(), "aria-haspopup": "menu", "aria-expanded": "false", "data-piece": number, title: kind === " out" ? "left out" : kind ? "hidden from the attention" : null }, shown(piece));
    const options = [
      [source.left_out.includes(number) ? "Put it back" : "Leave it out", () => change({ left_out: toggled(state.left_out, number) })],
      [source.hidden.includes(number) ? "Let it be attended to" : "Hide it from the attention", () => change({ hidden: toggled(state.hidden, number) })],
    ];
    if (number < last) {
      options.unshift(["Edit", () => {
        const found = placeIn(area.value, source.pieces, number);
        area.focus();
        if (found) area.setSelectionRange(...found);
      }]);
    }
    button.addEventListener("click", () => openMenu(button, options));
    return element("span", { class: `piece${kind}` }, button);
  });
}
