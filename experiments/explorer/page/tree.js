// The beam as a tree: each step's candidates, the best on top, and what became of them.

import { element, shape, shown, shortened, written, showTip, hideTip, say } from "./dom.js";
import { card } from "./card.js";
import { paint } from "./colours.js";

const FATES = { kept: "kept in the beam", ended: "ended: a hypothesis", cut: "cut: others were more probable", late: "ended, but not among the best of the beam: dropped" };
const [WIDTH, LINE, BOX] = [132, 24, 108];

// The nodes that lead to a hypothesis: of each level the number of one, or -1.
function pathTo(tree, ids, end) {
  const path = [];
  let parent = null;
  for (let level = 0; level < tree.length; level += 1) {
    const token = level < ids.length ? ids[level] : end;
    const found = tree[level].nodes.findIndex((node) => node.token === token && node.parent === parent && node.fate !== "cut");
    path.push(found);
    if (found < 0 || level >= ids.length) break;
    parent = found;
  }
  return path;
}

function lines(level, node) {
  return [
    `step ${level + 1}: ${shown(node.piece)}`,
    FATES[node.fate],
    `log P ${written(node.log_probability, 4)}, this token ${written(node.own, 4)}`,
    `with the length penalty ${written(node.normalised, 4)}`,
    ...(node.score === null ? [] : [`score ${written(node.score, 4)}`]),
  ];
}

function drawn(tree, path) {
  const most = Math.max(...tree.map((level) => level.nodes.length));
  const [width, height] = [tree.length * WIDTH + 8, most * LINE + 30];
  const svg = shape("svg", { "data-picture": true, width, height, viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "application", "aria-label": "Beam search as a tree; arrow keys move, the button Table has the numbers" });
  const [edges, boxes] = [shape("g", { fill: "none" }), shape("g")];
  const at = (level, place) => [level * WIDTH + 4, 22 + place * LINE];
  tree.forEach((level, number) => {
    svg.append(shape("text", { x: number * WIDTH + 4, y: 13, "font-size": 11, fill: paint("muted") }, `step ${number + 1}`));
    level.nodes.forEach((node, place) => {
      const [x, y] = at(number, place);
      const onPath = path[number] === place;
      const alive = node.fate === "kept" || node.fate === "ended";
      if (node.parent !== null) {
        const [px, py] = at(number - 1, node.parent);
        const [from, to, middle] = [px + BOX, x, (px + BOX + x) / 2];
        edges.append(shape("path", { d: `M${from} ${py + 10}C${middle} ${py + 10} ${middle} ${y + 10} ${to} ${y + 10}`, stroke: onPath ? paint("accent") : paint(alive ? "muted" : "line"), "stroke-width": onPath ? 2.5 : 1, opacity: alive || onPath ? 0.9 : 0.6 }));
      }
      boxes.append(shape("g", { "data-level": number, "data-node": place },
        shape("rect", { x, y, width: BOX, height: 20, rx: node.fate === "ended" ? 10 : 3, fill: onPath ? paint("tint") : paint(alive ? "sunken" : "surface"), stroke: onPath ? paint("accent") : paint("line"), "stroke-dasharray": alive ? null : "3 3" }),
        shape("text", { x: x + 6, y: y + 14, "font-size": 12, fill: paint(alive ? "ink" : "muted") }, shortened(shown(node.piece), 9)),
        shape("text", { x: x + BOX - 5, y: y + 14, "font-size": 10.5, "text-anchor": "end", fill: paint("muted") }, written(node.score === null ? node.log_probability : node.score, 2))));
    });
  });
  svg.append(edges, boxes);
  return { svg, at };
}

export function treeCard(look, state, which) {
  if (look.tree === null) return null;
  const chosen = look.hypotheses[look.chosen];
  const { svg, at } = drawn(look.tree, pathTo(look.tree, chosen.ids, look.end));
  let [level, place] = [0, 0];
  const tell = (event) => {
    const told = lines(level, look.tree[level].nodes[place]);
    if (event.clientX === undefined) say(told.join(", "));
    showTip(event, told);
  };
  svg.addEventListener("mousemove", (event) => {
    const box = event.target.closest("[data-level]");
    if (box === null) return hideTip();
    [level, place] = [Number(box.dataset.level), Number(box.dataset.node)];
    tell(event);
  });
  svg.addEventListener("mouseleave", hideTip);
  svg.addEventListener("blur", hideTip);
  svg.addEventListener("keydown", (event) => {
    const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] || [0, 0];
    if (!down && !right) return;
    event.preventDefault();
    level = Math.min(look.tree.length - 1, Math.max(0, level + right));
    place = Math.min(look.tree[level].nodes.length - 1, Math.max(0, place + down));
    const [[x, y], box] = [at(level, place), svg.getBoundingClientRect()];
    tell({ x: box.left + x + BOX, y: box.top + y + 20 });
  });
  const last = look.tree[look.tree.length - 1];
  const why = last.bound === null ? "" : `; the search ended as no open prefix could score more than ${written(last.bound, 3)}`;
  return card({
    name: `tree${which}`, title: "Beam", wide: true, hint: `solid: kept; round: a hypothesis; dashed: cut${why}`, picture: element("div", { class: "scroll" }, svg), data: () => look.tree,
    rows: () => [["step", "token", "after", "log P", "score", "fate"], ...look.tree.flatMap((each, number) => each.nodes.map((node) => [String(number + 1), shown(node.piece), node.parent === null ? "" : shown(look.tree[number - 1].nodes[node.parent].piece), written(node.log_probability, 4), written(node.score, 4), FATES[node.fate]]))],
  });
}
