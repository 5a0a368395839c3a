// The decoder token by token: the most probable continuations of each step, any of which can be forced.

import { element, shown, written } from "./dom.js";
import { card } from "./card.js";
import { isRecorded } from "./ask.js";

function isReshaped(state) {
  return state.temperature !== 1 || state.top_k !== 0 || state.top_p !== 1;
}

function column(step, number, ids, end, state, force) {
  const reshaped = isReshaped(state);
  const chances = reshaped ? step.sampled : step.probabilities;
  return element("div", { class: `stepping${step.forced ? " forced" : ""}` },
    element("h4", {}, `${number + 1}`, element("span", { title: "entropy of the next token, in nats" }, `H ${written(step.entropy, 2)}`)),
    step.tokens.map((token, place) => {
      const fill = element("span", { class: "fill" });
      fill.style.width = `${100 * chances[place]}%`;
      const word = shown(step.pieces[place]);
      return element("button", {
        type: "button", "aria-pressed": String(token === step.token), "data-token": token, "data-step": number,
        "aria-label": `step ${number + 1}: ${word}, probability ${written(step.probabilities[place], 4)}${isRecorded() ? "" : "; force it"}`,
        title: `${word}  p = ${written(step.probabilities[place], 6)}${reshaped ? `, drawn with ${written(step.sampled[place], 6)}` : ""}`,
        disabled: token === end && !isRecorded(),
        onclick: isRecorded() ? null : () => force([...ids.slice(0, number), token]),
      }, fill, element("span", { class: "word" }, word), element("span", { class: "chance" }, written(chances[place], 3)));
    }));
}

export function stepsCard(look, state, force, which) {
  const ids = look.hypotheses[look.chosen].ids;
  const clear = state.prefix.length ? element("div", { class: "toolbar" },
    `${state.prefix.length} ${state.prefix.length === 1 ? "token is" : "tokens are"} forced`,
    element("button", { type: "button", onclick: () => force([]) }, "Let it go on freely")) : null;
  return card({
    name: `steps${which}`, title: "Steps", wide: true,
    hint: `${isReshaped(state) ? "what sampling draws from at each step" : "the ten most probable tokens of each step"}${isRecorded() ? "" : "; click one to force it"}`,
    picture: element("div", {}, clear, element("div", { class: "scroll" }, element("div", { class: "steps" }, look.steps.map((step, number) => column(step, number, ids, look.end, state, force))))),
    data: () => look.steps,
    rows: () => [["step", "token", "probability", "rank", "entropy", "most probable"], ...look.steps.map((step, number) => [String(number + 1), shown(step.piece), written(Math.exp(step.log_probability), 4), String(step.rank), written(step.entropy, 3), step.pieces.slice(0, 3).map((piece, place) => `${shown(piece)} ${written(step.probabilities[place], 3)}`).join(", ")])],
  });
}
