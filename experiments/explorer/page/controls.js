// Sliders and choices.

import { element } from "./dom.js";

const PLAIN = { of: (value) => value, to: (value) => value };
const POWERS = { of: (value) => Math.log2(value), to: (value) => Number((2 ** value).toPrecision(3)) };

const SLIDERS = {
  attention_temperature: { label: "Temperature of the attention", low: -3, high: 3, step: 0.05, scale: POWERS },
  beam_size: { label: "Beam size", low: 1, high: 16, step: 1, scale: PLAIN },
  n_best: { label: "Hypotheses", low: 1, high: 16, step: 1, scale: PLAIN },
  length_penalty: { label: "Length penalty", low: 0, high: 3, step: 0.1, scale: PLAIN },
  coverage_penalty: { label: "Coverage penalty", low: 0, high: 2, step: 0.1, scale: PLAIN },
  temperature: { label: "Temperature of sampling", low: -3, high: 3, step: 0.05, scale: POWERS },
  top_k: { label: "Top k (0: all)", low: 0, high: 50, step: 1, scale: PLAIN },
  top_p: { label: "Top p", low: 0.05, high: 1, step: 0.05, scale: PLAIN },
  seed: { label: "Seed", low: 0, high: 50, step: 1, scale: PLAIN },
  padding: { label: "Padding shown", low: 0, high: 8, step: 1, scale: PLAIN },
};

function slider(name, state, change, disabled) {
  const { label, low, high, step, scale } = SLIDERS[name];
  const told = element("output", {}, String(state[name]));
  const input = element("input", {
    type: "range", id: `set-${name}`, min: low, max: high, step, value: scale.of(state[name]), disabled, "aria-valuetext": String(state[name]),
    title: "double click: as it was",
    oninput: () => set(scale.to(Number(input.value))), ondblclick: () => set(name === "beam_size" ? 5 : name === "n_best" ? 3 : ["length_penalty", "temperature", "top_p", "attention_temperature"].includes(name) ? 1 : 0),
  });
  const set = (value) => {
    const rounded = Number(value.toFixed(4));
    input.value = scale.of(rounded);
    told.textContent = String(rounded);
    input.setAttribute("aria-valuetext", String(rounded));
    change({ [name]: rounded });
  };
  return element("div", { class: "row" }, element("label", { for: `set-${name}` }, label, told), input);
}

function segments(label, options, value, pick, disabled) {
  return element("div", { class: "row" }, element("div", { class: "segments", role: "group", "aria-label": label },
    options.map(([key, word]) => element("button", { type: "button", "aria-pressed": String(key === value), disabled, onclick: () => pick(key) }, word))));
}

// Whether somebody opened or closed a group; else narrow windows have them closed.
const [opened, closed] = [new Set(), new Set()];

function group(title, ...rows) {
  const kept = closed.has(title) ? false : opened.has(title) || window.innerWidth > 860;
  const made = element("details", { class: "group", open: kept }, element("summary", {}, title), rows);
  made.addEventListener("toggle", () => { (made.open ? opened : closed).add(title); (made.open ? closed : opened).delete(title); });
  return made;
}

export function controls(state, about, change, fixed) {
  const searching = state.how === "sampling" ? ["n_best", "temperature", "top_k", "top_p", "seed"] : ["beam_size", "n_best", "length_penalty", ...(about.heads ? ["coverage_penalty"] : []), "temperature", "top_k", "top_p"];
  const made = fixed ? [] : [group("Search", segments("Search", [["beam", "Beam"], ["sampling", "Sampling"]], state.how, (how) => change({ how, chosen: 0 }), fixed), searching.map((name) => slider(name, state, change, fixed)))];
  if (!about.heads) return made;
  const heads = element("select", { id: "set-head", onchange: (event) => change({ head: Number(event.target.value) }, false) },
    element("option", { value: -1 }, about.heads > 1 ? `mean of ${about.heads} heads` : "the only head"),
    about.heads > 1 ? about.head_names.map(({ layer, head }, number) => element("option", { value: number, selected: number === state.head }, `layer ${layer + 1}, head ${head + 1}`)) : []);
  const checkbox = element("input", { type: "checkbox", id: "set-digits", checked: state.digits, onchange: () => change({ digits: checkbox.checked }, false) });
  made.push(group("Attention",
    fixed ? [] : slider("attention_temperature", state, change, fixed),
    element("div", { class: "row" }, element("label", { for: "set-head" }, "Head"), heads),
    segments("What is drawn", [["weights", "Weights"], ["shares", "Shares"], ["norms", "Norms"]], state.values, (values) => change({ values }, false)),
    element("div", { class: "row check" }, element("label", { for: "set-digits" }, checkbox, "Numbers in the cells")),
    fixed ? [] : slider("padding", state, change, fixed)));
  return made;
}
