// The page: what is asked, what is answered, and where it stands.

import { element, hideTip } from "./dom.js";
import { theme } from "./colours.js";
import { readState, writeState } from "./state.js";
import { ask, isRecorded, Refused } from "./ask.js";
import { controls } from "./controls.js";
import { pieces, closeMenu } from "./question.js";
import { KINDS } from "./kinds.js";
import { laterCard } from "./later.js";

const place = (id) => document.getElementById(id);
let state = readState();
let about = null;
let looks = [];
const area = element("textarea", { id: "source", rows: 2, spellcheck: "false", autocomplete: "off", disabled: isRecorded() });
const pieceRow = element("div", { class: "pieces", role: "group", "aria-label": "Pieces of the source" });

function problem(words) {
  place("problem").hidden = !words;
  place("problem").textContent = words || "";
}

function kind() {
  return KINDS[about.kind];
}

function shownCheckpoints() {
  return state.compare >= 0 && state.compare !== state.checkpoint ? [state.checkpoint, state.compare] : [state.checkpoint];
}

async function refresh() {
  writeState(state);
  if (kind().typed && !state.source.trim()) {
    looks = [];
    return draw();
  }
  const start = performance.now();
  try {
    const answers = await Promise.all(shownCheckpoints().map((each, number) => kind().look(state, each, `look${number}`, about)));
    if (answers.some((answer) => answer === null)) return;
    looks = answers;
    problem("");
    place("status").textContent = isRecorded() ? "exported" : `${Math.round(performance.now() - start)} ms`;
    draw();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    problem(error.message);
  }
}

// asks: whether the server has to compute anything anew.
function change(changes, asks = true) {
  state = { ...state, ...changes };
  if ("how" in changes) drawControls();
  if (asks) return refresh();
  writeState(state);
  drawControls();
  draw();
}

function force(prefix) {
  change({ prefix, chosen: 0 });
}

function toggle(name, isOpen) {
  state = { ...state, open: [...state.open.filter((each) => each !== name), ...(isOpen ? [name] : [])] };
  writeState(state);
}

function chooseRow(row, byKey) {
  change({ row }, false);
  if (byKey) document.querySelector("[data-card^=attention] svg").focus();
}

function columnOf(look, number, count) {
  const which = count > 1 ? `-${number + 1}` : "";
  const results = place("results");
  const wide = window.innerWidth >= 1900;
  const checkpoint = shownCheckpoints()[number];
  const room = Math.max(280, results.clientWidth / (count > 1 && window.innerWidth > 860 ? 2 : wide ? 2 : 1) - 44);
  const page = { state, about, room, which, checkpoint, change, force, chooseRow };
  const cards = kind().cards(look, page).flat().filter((each) => each !== null);
  const later = kind().later(look, page).map((each) => laterCard({ ...each, isOpen: state.open.includes(each.name), toggle }));
  const name = count > 1 ? element("h2", {}, about.checkpoints[checkpoint].name) : null;
  return element("div", { class: "column" }, name, cards, later);
}

function kept(node) {
  const scrolled = [...node.querySelectorAll("[data-card]")].map((each) => [each.dataset.card, each.querySelector(".scroll")?.scrollLeft || 0]);
  const active = document.activeElement;
  const focused = node.contains(active) ? [active.closest("[data-card]")?.dataset.card, active.dataset.step, active.dataset.token] : null;
  return () => {
    for (const [name, left] of scrolled) {
      const found = node.querySelector(`[data-card="${name}"] .scroll`);
      if (found) found.scrollLeft = left;
    }
    if (focused && focused[1] !== undefined) node.querySelector(`[data-card="${focused[0]}"] [data-step="${focused[1]}"][aria-pressed="true"]`)?.focus();
  };
}

function draw() {
  hideTip();
  const results = place("results");
  const restore = kept(results);
  if (!looks.length) {
    pieceRow.replaceChildren();
    results.replaceChildren(element("p", { class: "notice" }, "Type a source above: what the model makes of it appears here."));
    return;
  }
  closeMenu();
  if (looks[0].source && !about.music) pieceRow.replaceChildren(element("span", { class: "name" }, "pieces"), ...pieces(looks[0], state, area, change));
  results.classList.toggle("two", looks.length > 1);
  results.replaceChildren(...looks.map((look, number) => columnOf(look, number, looks.length)));
  restore();
}

function drawControls() {
  const active = document.activeElement && document.activeElement.id;
  const made = about.kind === "translation" ? controls(state, about, change, isRecorded()) : [];
  place("controls").replaceChildren(...made);
  place("controls").hidden = !made.length;
  document.querySelector(".desk").classList.toggle("alone", !made.length);
  if (active) place(active)?.focus();
}

function drawQuestion() {
  if (!kind().typed) return place("question").replaceChildren(...kind().control(state, about, change));
  if (about.music) area.rows = 6;
  if (about.sources && about.sources.length > 1) {
    const pick = element("select", { id: "source", onchange: () => change({ source: pick.value, chosen: 0, row: -1 }) }, about.sources.map((each) => element("option", { selected: each === state.source }, each)));
    return place("question").replaceChildren(element("label", { for: "source" }, kind().typed), pick, pieceRow);
  }
  place("question").replaceChildren(element("label", { for: "source" }, about.music ? "Music in ABC notation" : kind().typed), area, pieceRow);
}

function drawCheckpoints() {
  const select = (label, value, options, pick) => element("label", {}, label, element("select", { disabled: isRecorded(), onchange: (event) => pick(Number(event.target.value)) },
    options.map(([number, name]) => element("option", { value: number, selected: number === value }, name))));
  const all = about.checkpoints.map((each, number) => [number, each.name]);
  if (all.length < 2) return place("checkpoints").replaceChildren(element("span", { class: "only" }, all[0][1]));
  place("checkpoints").replaceChildren(
    select("Checkpoint", state.checkpoint, all, (checkpoint) => change({ checkpoint })),
    select("beside", state.compare, [[-1, "none"], ...all], (compare) => change({ compare })));
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  place("theme").textContent = name === "dark" ? "Light" : "Dark";
  place("theme").setAttribute("aria-label", `${name === "dark" ? "Light" : "Dark"} colours`);
  if (about) draw();
}

async function start() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  place("theme").addEventListener("click", () => setTheme(theme() === "dark" ? "light" : "dark"));
  place("share").addEventListener("click", async () => {
    writeState(state);
    await navigator.clipboard.writeText(window.location.href).then(() => { place("status").textContent = "copied"; }, () => { place("status").textContent = "in the address bar"; });
  });
  try {
    about = await ask("/api/about");
  } catch (error) {
    return problem(error.message);
  }
  if (about.sources && !about.sources.includes(state.source)) state.source = about.sources[0] || "";
  if (state.compare < 0 && about.compare !== undefined && about.compare !== null && !window.location.hash.includes("compare")) state.compare = about.compare;
  drawQuestion();
  area.value = state.source;
  area.addEventListener("input", () => change({ source: area.value, prefix: [], left_out: [], hidden: [], chosen: 0, row: -1 }));
  window.addEventListener("hashchange", () => { state = readState(); area.value = state.source; drawControls(); drawCheckpoints(); refresh(); });
  let width = window.innerWidth;
  window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; draw(); } });
  drawControls();
  drawCheckpoints();
  await refresh();
}

start();
