// Cards that are computed when they are opened.

import { element } from "./dom.js";

const last = new Map();

// load: gives what stands in the card, or null where a newer question took its place.
export function laterCard({ name, title, hint, load, isOpen, toggle }) {
  const body = element("div", {}, isOpen && last.has(name) ? last.get(name) : null);
  const box = element("details", { class: "card later wide", "data-later": name, open: isOpen }, element("summary", {}, title, element("span", {}, hint)), body);
  const fill = async () => {
    body.setAttribute("aria-busy", "true");
    try {
      const made = await load();
      if (made !== null) {
        last.set(name, made);
        body.replaceChildren(...[made].flat());
      }
    } catch (error) {
      body.replaceChildren(element("p", { class: "notice" }, error.message));
    }
    body.removeAttribute("aria-busy");
  };
  box.addEventListener("toggle", () => {
    if (box.open === isOpen) return;
    isOpen = box.open;
    toggle(name, box.open);
    if (box.open) fill();
  });
  if (isOpen) fill();
  return box;
}
