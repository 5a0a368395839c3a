// What the page shows, kept in its address: whoever opens the address sees the same.

export const DEFAULTS = {
  source: "", prefix: [], left_out: [], hidden: [], padding: 0, how: "beam", beam_size: 5, n_best: 3,
  length_penalty: 1, coverage_penalty: 0, temperature: 1, top_k: 0, top_p: 1, seed: 0, attention_temperature: 1,
  chosen: 0, checkpoint: 0, compare: -1, head: -1, row: -1, values: "weights", digits: false, open: [],
};

// Of what is asked of the server.
export const ASKED = [
  "source", "prefix", "left_out", "hidden", "padding", "how", "beam_size", "n_best", "length_penalty",
  "coverage_penalty", "temperature", "top_k", "top_p", "seed", "attention_temperature", "chosen",
];

function parsed(text, example) {
  if (Array.isArray(example)) return text === "" ? [] : text.split("~").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  if (typeof example === "number") return Number.isFinite(Number(text)) ? Number(text) : example;
  if (typeof example === "boolean") return text === "1";
  return text;
}

function spelled(value) {
  if (Array.isArray(value)) return value.join("~");
  return typeof value === "boolean" ? String(Number(value)) : String(value);
}

export function readState() {
  const given = new URLSearchParams(window.location.hash.slice(1));
  const state = structuredClone(DEFAULTS);
  for (const name of Object.keys(DEFAULTS)) if (given.has(name)) state[name] = parsed(given.get(name), DEFAULTS[name]);
  return state;
}

export function writeState(state) {
  const kept = new URLSearchParams();
  for (const [name, example] of Object.entries(DEFAULTS)) {
    if (spelled(state[name]) !== spelled(example)) kept.set(name, spelled(state[name]));
  }
  const address = `#${kept}`;
  if (address !== window.location.hash) window.history.replaceState(null, "", address);
}
