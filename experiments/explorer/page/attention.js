// The attention of one hypothesis.

import { element, shown, written } from "./dom.js";
import { card } from "./card.js";
import { heatmap } from "./heatmap.js";
import { bars } from "./bars.js";

export function sourceWords(look) {
  return [...look.source.pieces, ...Array(look.source.padding).fill("<pad>")];
}

function chosenWeights(look, state) {
  const { weights, mean, heads } = look.attention;
  return state.head >= 0 && state.head < heads.length ? weights[state.head] : mean;
}

function layerOf(look, state) {
  const { heads, shares } = look.attention;
  return state.head >= 0 && state.head < heads.length ? heads[state.head].layer : shares.length - 1;
}

// What the map shows: weights, or what the positions add to the context.
function shownValues(look, state) {
  const layer = layerOf(look, state);
  if (state.values === "shares" && look.attention.shares.length) return look.attention.shares[layer];
  if (state.values === "norms" && look.attention.norms.length) return scaled(look.attention.norms[layer]);
  return chosenWeights(look, state);
}

function scaled(rows) {
  const most = Math.max(1e-9, ...rows.flat().filter((value) => value !== null));
  return rows.map((row) => row.map((value) => (value === null ? null : value / most)));
}

export function coverage(look, state) {
  const weights = chosenWeights(look, state);
  return weights[0].map((_, column) => weights.reduce((sum, row) => (row[column] === null ? null : sum + row[column]), 0));
}

function headName(look, state) {
  if (state.head < 0 || state.head >= look.attention.heads.length) return look.attention.heads.length > 1 ? `mean of ${look.attention.heads.length} heads` : "one head";
  const { layer, head } = look.attention.heads[state.head];
  return `layer ${layer + 1}, head ${head + 1}`;
}

export function attentionCard(look, state, room, choose, which) {
  if (look.attention === null) {
    return card({ name: `attention${which}`, title: "Attention", wide: true, picture: element("p", { class: "notice" }, "This model has no attention: the decoder sees the source through its first state alone.") });
  }
  const [columns, rows] = [sourceWords(look), look.steps.map((step) => step.piece)];
  const values = shownValues(look, state);
  const row = Math.min(state.row < 0 ? 0 : state.row, rows.length - 1);
  const entropy = state.head >= 0 && state.head < look.attention.heads.length ? look.attention.entropy[state.head] : look.attention.mean_entropy;
  const beside = [{ title: "entropy", values: entropy, most: Math.log(Math.max(2, columns.length)) }];
  if (look.gate !== null) beside.push({ title: "generates", values: look.gate, most: 1 });
  const covered = coverage(look, state);
  const layer = layerOf(look, state);
  const { norms, shares } = look.attention;
  const tell = (at, column) => [
    `${shown(rows[at])} \u2190 ${shown(columns[column])}`,
    column >= look.source.pieces.length ? "padding: the mask keeps it at 0" : look.source.left_out.includes(column) ? "left out: the model did not get it" : look.source.hidden.includes(column) ? "hidden: the mask keeps it at 0" : null,
    `weight ${written(chosenWeights(look, state)[at][column], 6)}`,
    ...(shares.length ? [`share of the context ${written(shares[layer][at][column], 4)}`, `norm ${written(norms[layer][at][column], 4)}`] : []),
    `entropy of the row ${written(entropy[at], 3)} nats`,
  ].filter((line) => line !== null);
  const map = heatmap({
    rows, columns, values, room, digits: state.digits, beside,
    masked: columns.map((_, at) => at).filter((at) => at >= look.source.pieces.length || look.source.hidden.includes(at)), chosen: row, tell, choose,
    below: { title: "coverage", values: covered, most: Math.max(1, ...covered.filter((value) => value !== null)) },
    label: `Attention of ${rows.length} target tokens to ${columns.length} source tokens`,
  });
  const series = [{ title: "weight", values: chosenWeights(look, state)[row] }];
  if (shares.length) series.push({ title: "share of context", values: shares[layer][row] }, { title: "norm", values: norms[layer][row] });
  const rowBars = bars({ words: columns, series, label: `What ${shown(rows[row])} attends to` });
  const names = { weights: "weights", shares: "share of each position in the context", norms: "norm of what each position adds, over the greatest" };
  return [
    card({
      name: `attention${which}`, title: "Attention", hint: `${names[state.values] || names.weights}, ${headName(look, state)}`,
      picture: element("div", { class: "scroll" }, map), data: () => ({ source: columns, target: rows, ...look.attention, coverage: covered, gate: look.gate }),
      rows: () => [["", ...columns.map(shown), "entropy"], ...rows.map((word, at) => [shown(word), ...values[at].map((value) => written(value, 4)), written(entropy[at], 3)])],
    }),
    card({
      name: `row${which}`, title: `\u201c${shown(rows[row])}\u201d looks at`, hint: "click a row of the map for another token",
      picture: element("div", { class: "scroll" }, rowBars), data: () => ({ token: rows[row], source: columns, series }),
      rows: () => [["", ...series.map((each) => each.title)], ...columns.map((word, column) => [shown(word), ...series.map((each) => written(each.values[column], 6))])],
    }),
  ];
}
