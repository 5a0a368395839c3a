// The tokens of a corpus whose decoder states are closest to that of the chosen row.

import { element, shown, written } from "./dom.js";
import { card, table } from "./card.js";
import { ask } from "./ask.js";

function inContext({ target, place }) {
  return target.map((piece, at) => (at === place ? `[${shown(piece)}]` : shown(piece))).join(" ");
}

export async function neighboursOf(question, token, which) {
  const found = await ask("/api/neighbours", question, `neighbours${which}`);
  if (found === null) return null;
  const rows = () => [["distance", "target, its token in brackets", "source"], ...found.neighbours.map((each) => [written(each.distance, 4), inContext(each), each.source])];
  return card({
    name: `neighbours${which}`, title: `Closest to the state before \u201c${shown(token)}\u201d`, hint: `of ${found.states.toLocaleString("en")} states`, picture: element("div", { class: "scroll" }, table("Nearest neighbours", rows())), data: () => found,
  });
}
