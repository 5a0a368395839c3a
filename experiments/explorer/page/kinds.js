// What the page asks and draws, by what the checkpoints are of.

import { ask } from "./ask.js";
import { ASKED } from "./state.js";
import { element } from "./dom.js";
import { hypothesesCard } from "./hypotheses.js";
import { attentionCard } from "./attention.js";
import { stepsCard } from "./steps.js";
import { treeCard } from "./tree.js";
import { statesOf } from "./states.js";
import { trainingOf } from "./training.js";
import { neighboursOf } from "./neighbours.js";
import { labelCards } from "./labels.js";
import { seriesCards } from "./series.js";
import { rollCard } from "./music.js";

function asked(state, checkpoint) {
  const question = { checkpoint, ...Object.fromEntries(ASKED.map((name) => [name, state[name]])) };
  // A tab cannot be typed here, and stands between a source and its features.
  return { ...question, source: state.source.replaceAll("\\t", "\t") };
}

const translation = {
  typed: "Source",
  question: asked,
  async look(state, checkpoint, slot, about) {
    if (!about.music) return ask("/api/look", asked(state, checkpoint), slot);
    const music = await ask("/api/question", { music: state.source });
    const question = { ...asked(state, checkpoint), source: music.source, length: music.length };
    const look = await ask("/api/look", question, slot);
    if (look === null) return null;
    const symbols = look.hypotheses[look.chosen].pieces.slice(0, -1);
    return { ...look, question, ...(await ask("/api/music", { music: state.source, symbols })) };
  },
  cards(look, page) {
    const { state, about, room, which, change, force, chooseRow } = page;
    return [
      hypothesesCard(look, (chosen) => change({ chosen }), which),
      look.piece ? rollCard(look.piece, room, which) : null,
      attentionCard(look, state, room, chooseRow, which),
      stepsCard(look, state, force, which),
      treeCard(look, state, which),
    ];
  },
  later(look, page) {
    const { state, about, checkpoint, room, which } = page;
    const question = look.question || asked(state, checkpoint);
    const row = Math.min(Math.max(0, state.row), look.steps.length - 1);
    const found = [{ name: "states", title: "States", hint: "hidden states and gates, step by step", load: () => statesOf(question, room, which) }];
    if (about.training) found.push({ name: "training", title: "Training", hint: "how the alignment sharpens from epoch to epoch", load: () => trainingOf(question, look.hypotheses[look.chosen].text, which) });
    if (about.corpus) found.push({ name: "neighbours", title: "Nearest neighbours", hint: "which examples had the closest decoder state", load: () => neighboursOf({ ...question, step: row }, look.steps[row].piece, which) });
    return found;
  },
};

const labels = {
  typed: "Text",
  look: (state, checkpoint, slot) => ask("/api/label", { source: state.source, checkpoint }, slot),
  cards: (look, { state, room, which, chooseRow }) => labelCards(look, state, room, chooseRow, which),
  later: (look, { state, checkpoint, room, which }) => [{ name: "states", title: "States", hint: "hidden states and gates, token by token", load: () => statesOf({ source: state.source, checkpoint }, room, which) }],
};

const series = {
  typed: null,
  look: (state, checkpoint, slot, about) => ask("/api/forecast", { row: state.row < about.first_row ? about.last_row : Math.min(state.row, about.last_row), checkpoint }, slot),
  cards: (look, { room, which }) => seriesCards(look, room, which),
  later: () => [],
  control(state, about, change) {
    const row = state.row < about.first_row ? about.last_row : Math.min(state.row, about.last_row);
    const told = element("output", {}, String(row));
    return [element("label", { for: "set-row" }, `${about.file}: the forecast begins with row `, told),
      element("input", { type: "range", id: "set-row", min: about.first_row, max: about.last_row, value: row, oninput: (event) => { told.textContent = event.target.value; change({ row: Number(event.target.value) }); } })];
  },
};

export const KINDS = { translation, labels, series };
