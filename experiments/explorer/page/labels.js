// What a classifier says of a text, and what each token has to do with it.

import { element, shown, written } from "./dom.js";
import { card } from "./card.js";
import { bars } from "./bars.js";
import { heatmap } from "./heatmap.js";

function order(probabilities) {
  return probabilities.map((_, label) => label).sort((one, other) => probabilities[other] - probabilities[one]);
}

export function labelCards(look, state, room, choose, which) {
  const ranked = order(look.probabilities);
  const label = state.row >= 0 && state.row < ranked.length ? ranked[state.row] : ranked[0];
  const shownLabels = ranked.slice(0, 12);
  const names = shownLabels.map((each) => look.labels[each]);
  const series = [];
  if (look.weights !== null) series.push({ title: "attention", values: look.weights });
  if (look.adds !== null) series.push({ title: "adds to the logit", values: look.adds[label] });
  if (look.without !== null) series.push({ title: "P without it", values: look.without.map((row) => row[label]) });
  const scale = look.adds === null ? 1 : Math.max(1e-6, ...look.adds.flat().map(Math.abs));
  const cards = [card({
    name: `labels${which}`, title: "Labels", hint: "the most probable first", picture: element("div", { class: "scroll" }, bars({ words: names, series: [{ title: "probability", values: shownLabels.map((each) => look.probabilities[each]), digits: 4 }], label: "Probabilities of the labels" })), data: () => look,
    rows: () => [["label", "probability"], ...ranked.map((each) => [look.labels[each], written(look.probabilities[each], 6)])],
  })];
  if (series.length) {
    cards.push(card({
      name: `tokens${which}`, title: `What speaks for \u201c${look.labels[label]}\u201d`, hint: `token by token${look.adds === null ? "" : `; with the bias of ${written(look.bias[label])} they sum to the logit`}; P without it: how the probability changes`, picture: element("div", { class: "scroll" }, bars({ words: look.pieces, series, label: "What each token adds" })), data: () => ({ pieces: look.pieces, label: look.labels[label], series }),
      rows: () => [["token", ...series.map((each) => each.title)], ...look.pieces.map((piece, at) => [shown(piece), ...series.map((each) => written(each.values[at], 6))])],
    }));
  }
  if (look.adds !== null) {
    const values = shownLabels.map((each) => look.adds[each].map((value) => value / scale));
    cards.push(card({
      name: `adds${which}`, title: "Labels by tokens", hint: "what each token adds to the logit of each label; click a row for its bars", wide: true,
      picture: element("div", { class: "scroll" }, heatmap({ rows: names, columns: look.pieces, values, room, digits: false, balanced: true, chosen: ranked.indexOf(label), label: "What each token adds to each label", choose, tell: (row, column) => [`${names[row]} \u2190 ${shown(look.pieces[column])}`, `adds ${written(look.adds[shownLabels[row]][column], 5)} to the logit`] })),
      data: () => ({ labels: names, pieces: look.pieces, adds: shownLabels.map((each) => look.adds[each]) }),
      rows: () => [["label", ...look.pieces.map(shown)], ...shownLabels.map((each) => [look.labels[each], ...look.adds[each].map((value) => written(value, 4))])],
    }));
  }
  return cards;
}
