// What the search found, best first.

import { element, written } from "./dom.js";
import { card } from "./card.js";

export function hypothesesCard(look, choose, which) {
  const list = element("ol", { class: "hypotheses" }, look.hypotheses.map((each, number) => element("li", {},
    element("button", { type: "button", "aria-pressed": String(number === look.chosen), onclick: () => choose(number) },
      element("span", { class: "words" }, each.text || "(nothing)"),
      element("span", { class: "figures" }, `score ${written(each.score)}  log P ${written(each.log_probability)}${each.truncated ? "  cut at the limit" : ""}`)))));
  return card({
    name: `hypotheses${which}`, title: "Hypotheses", hint: "the best first; click one to look at it", picture: list, wide: true,
    data: () => look.hypotheses,
    rows: () => [["hypothesis", "score", "log P", "tokens"], ...look.hypotheses.map((each) => [each.text, written(each.score, 4), written(each.log_probability, 4), String(each.pieces.length)])],
  });
}
