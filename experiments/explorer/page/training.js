// One sentence at each epoch of a training, as small pictures.

import { element, shape, shown, written } from "./dom.js";
import { weightColour } from "./colours.js";
import { card } from "./card.js";
import { ask } from "./ask.js";

function small(mean, label) {
  const size = Math.max(5, Math.min(14, Math.floor(260 / Math.max(mean.length, mean[0].length))));
  const [width, height] = [mean[0].length * size, mean.length * size];
  return shape("svg", { "data-picture": true, width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    mean.flatMap((row, y) => row.map((weight, x) => shape("rect", { x: x * size, y: y * size, width: size - 0.5, height: size - 0.5, fill: weightColour(weight || 0).fill }))));
}

export async function trainingOf(question, target, which) {
  const found = await ask("/api/training", question, `training${which}`);
  if (found === null) return null;
  const pictures = found.epochs.map((each) => element("figure", {},
    element("figcaption", {}, element("b", {}, each.name), element("br"), `log P ${written(each.log_probability, 2)}${each.entropy === null ? "" : `, entropy ${written(each.entropy, 2)}`}`),
    each.mean === null ? null : small(each.mean, `Attention at ${each.name}`),
    element("figcaption", {}, each.text)));
  return card({
    name: `training${which}`, title: "Through the training", hint: `the attention of \u201c${target}\u201d at each epoch; below, what that epoch would write`, picture: element("div", { class: "multiples" }, pictures), data: () => found,
    rows: () => [["epoch", "log P of the target", "mean entropy", "own hypothesis"], ...found.epochs.map((each) => [each.name, written(each.log_probability, 4), written(each.entropy, 4), shown(each.text)])],
  });
}
