// Hidden states and gates over time.

import { element, shape, shown, shortened, written } from "./dom.js";
import { balancedColour, weightColour, paint } from "./colours.js";
import { card } from "./card.js";
import { ask } from "./ask.js";

const picked = { series: 0, value: "hidden" };
const [HEIGHT, FIRST] = [190, 68];

function bytes(colour) {
  return [1, 3, 5].map((from) => parseInt(colour.slice(from, from + 2), 16));
}

function isShare(name) {
  return !["hidden", "cell", "candidate"].includes(name);
}

// A picture of steps by units, a pixel each.
function pixels(values, colour) {
  const [steps, units] = [values.length, values[0].length];
  const canvas = element("canvas", { width: steps, height: units });
  const context = canvas.getContext("2d");
  const image = context.createImageData(steps, units);
  values.forEach((step, x) => step.forEach((value, y) => image.data.set([...bytes(colour(value)), 255], 4 * (y * steps + x))));
  context.putImageData(image, 0, 0);
  return canvas.toDataURL("image/png");
}

function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function drawn(words, values, name, room) {
  const width = Math.max(16, Math.min(46, Math.floor((room - FIRST - 20) / words.length)));
  const most = isShare(name) ? 1 : Math.max(1e-6, ...values.flat().map(Math.abs));
  const colour = (value) => (isShare(name) ? weightColour(value).fill : balancedColour(value / most));
  const head = 92;
  const size = [Math.ceil(FIRST + words.length * width + 64), head + HEIGHT + 46];
  const svg = shape("svg", { "data-picture": true, width: size[0], height: size[1], viewBox: `0 0 ${size[0]} ${size[1]}`, role: "img", "aria-label": `${name} of ${values[0].length} units over ${words.length} steps` });
  words.forEach((word, at) => {
    const [x, y] = [FIRST + at * width + width / 2, head - 8];
    svg.append(shape("text", { x, y, "font-size": 13, fill: paint("ink"), transform: `rotate(-52 ${x} ${y})` }, shortened(shown(word), 14)));
  });
  svg.append(
    shape("image", { href: pixels(values, colour), x: FIRST, y: head, width: words.length * width, height: HEIGHT, preserveAspectRatio: "none", "image-rendering": "pixelated" }),
    shape("text", { x: FIRST - 8, y: head + 12, "font-size": 11, "text-anchor": "end", fill: paint("muted") }, "unit 1"),
    shape("text", { x: FIRST - 8, y: head + HEIGHT - 2, "font-size": 11, "text-anchor": "end", fill: paint("muted") }, `unit ${values[0].length}`),
    shape("text", { x: FIRST - 8, y: head + HEIGHT + 34, "font-size": 11, "text-anchor": "end", fill: paint("muted") }, isShare(name) ? "mean" : "mean |x|"));
  values.forEach((step, at) => {
    const mean = average(step.map(Math.abs));
    const height = 22 * Math.min(1, mean / most);
    svg.append(
      shape("rect", { x: FIRST + at * width + 2, y: head + HEIGHT + 34 - height, width: width - 4, height, fill: paint("muted") }, shape("title", {}, `${shown(words[at])}: ${written(mean)}`)));
    if (width >= 28) svg.append(shape("text", { x: FIRST + at * width + width / 2, y: head + HEIGHT + 45, "font-size": 10, "text-anchor": "middle", fill: paint("muted") }, written(mean, 2)));
  });
  return svg;
}

function nameOf(each) {
  const way = each.backward ? "backward" : "forward";
  return each.side === "source" ? `encoder, layer ${each.layer + 1}, ${way}` : `decoder, layer ${each.layer + 1}`;
}

function picture(states, room, which, holder = element("div", {})) {
  const one = states.series[Math.min(picked.series, states.series.length - 1)];
  const names = Object.keys(one.values);
  const value = names.includes(picked.value) ? picked.value : "hidden";
  const words = one.side === "source" ? states.source : states.target;
  const again = (changes) => { Object.assign(picked, changes); picture(states, room, which, holder); };
  const select = (label, options, now, pick) => element("label", {}, `${label} `, element("select", { onchange: (event) => pick(event.target.value) }, options.map(([key, word]) => element("option", { value: key, selected: String(key) === String(now) }, word))));
  holder.replaceChildren(
    element("div", { class: "toolbar" },
      select("Layer", states.series.map((each, number) => [number, nameOf(each)]), states.series.indexOf(one), (series) => again({ series: Number(series) })),
      select("Shown", names.map((name) => [name, isShare(name) ? `${name} gate` : name === "hidden" ? "hidden state" : name === "cell" ? "cell state" : "candidate"]), value, (name) => again({ value: name }))),
    card({
      name: `states${which}`, title: nameOf(one), hint: `${value}: each column a step, each row a unit`, picture: element("div", { class: "scroll" }, drawn(words, one.values[value], value, room)), data: () => ({ words, ...one }),
      rows: () => [["step", "mean", "least", "greatest"], ...one.values[value].map((step, at) => [shown(words[at]), written(average(step)), written(Math.min(...step)), written(Math.max(...step))])],
    }));
  return holder;
}

export async function statesOf(question, room, which) {
  const states = await ask("/api/states", question, `states${which}`);
  if (states === null) return null;
  if (!states.series.length) return element("p", { class: "notice" }, "This model has no recurrent layers.");
  return picture(states, room, which);
}
