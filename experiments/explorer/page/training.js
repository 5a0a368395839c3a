// One sentence at each epoch of a training, as small pictures.

import { element, shape, shown, shortened, written } from "./dom.js";
import { weightColour, paint } from "./colours.js";
import { card } from "./card.js";
import { ask } from "./ask.js";

const [LEAST, HEAD, FOOT] = [226, 40, 24];

function small(each, size) {
  const grid = each.mean === null ? [] : each.mean.flatMap((row, y) => row.map((weight, x) => shape("rect", { x: x * size, y: HEAD + y * size, width: size - 0.5, height: size - 0.5, fill: weightColour(weight || 0).fill })));
  const height = HEAD + (each.mean === null ? 0 : each.mean.length * size);
  return shape("g", { "data-epoch": each.name },
    shape("text", { y: 13, "font-size": 12.5, "font-weight": 600, fill: paint("ink") }, each.name),
    shape("text", { y: 30, "font-size": 12, fill: paint("muted") }, `log P ${written(each.log_probability, 2)}${each.entropy === null ? "" : `, entropy ${written(each.entropy, 2)}`}`),
    grid,
    shape("text", { y: height + 17, "font-size": 12, fill: paint("ink") }, shortened(each.text, 34), shape("title", {}, each.text)));
}

function drawn(epochs) {
  const [rows, columns] = epochs[0].mean === null ? [0, 0] : [epochs[0].mean.length, epochs[0].mean[0].length];
  const size = Math.max(5, Math.min(14, Math.floor(260 / Math.max(1, rows, columns))));
  const step = Math.max(LEAST, columns * size) + 24;
  const [width, height] = [epochs.length * step, HEAD + rows * size + FOOT];
  const svg = shape("svg", { "data-picture": true, width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Attention at ${epochs.length} epochs; the button Table has the numbers` });
  epochs.forEach((each, number) => {
    const one = small(each, size);
    one.setAttribute("transform", `translate(${number * step} 0)`);
    svg.append(one);
  });
  return svg;
}

export async function trainingOf(question, target, which) {
  const found = await ask("/api/training", question, `training${which}`);
  if (found === null) return null;
  return card({
    name: `training${which}`, title: "Through the training", hint: `the attention of \u201c${target}\u201d at each epoch; below, what that epoch would write`, picture: element("div", { class: "scroll" }, drawn(found.epochs)), data: () => found,
    rows: () => [["epoch", "log P of the target", "mean entropy", "own hypothesis"], ...found.epochs.map((each) => [each.name, written(each.log_probability, 4), written(each.entropy, 4), shown(each.text)])],
  });
}
