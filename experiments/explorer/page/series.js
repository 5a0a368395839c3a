// A forecast over what came, and below it what was looked at.

import { element, shape, written, showTip, hideTip } from "./dom.js";
import { card } from "./card.js";
import { paint, weightColour } from "./colours.js";

const [LEFT, HEIGHT, GAP] = [64, 150, 34];

function path(points) {
  let begun = false;
  return points.map(([x, y]) => {
    if (y === null) { begun = false; return ""; }
    const step = `${begun ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    begun = true;
    return step;
  }).join("");
}

function ticks(low, high) {
  const step = 10 ** Math.floor(Math.log10((high - low) / 2 || 1));
  const wide = (high - low) / step > 6 ? 2 * step : step;
  const found = [];
  for (let value = Math.ceil(low / wide) * wide; value <= high; value += wide) found.push(Number(value.toPrecision(6)));
  return found;
}

function curves(svg, column, top, x, look) {
  const window = column.past.length;
  const numbers = [column.past, column.truth, column.forecast, column.lower || [], column.upper || []].flat().filter((value) => value !== null);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const y = (value) => (value === null ? null : top + HEIGHT - ((value - least) / (most - least || 1)) * HEIGHT);
  svg.append(shape("text", { x: LEFT, y: top - 8, "font-size": 12.5, "font-weight": 600, fill: paint("ink") }, column.name));
  for (const value of ticks(least, most)) {
    svg.append(
      shape("line", { x1: LEFT, x2: x(look.times.length - 1), y1: y(value), y2: y(value), stroke: paint("line") }),
      shape("text", { x: LEFT - 6, y: y(value) + 4, "font-size": 11, "text-anchor": "end", fill: paint("muted") }, String(value)));
  }
  if (column.lower !== null) {
    const band = [...column.upper.map((value, at) => [x(window + at), y(value)]), ...column.lower.map((value, at) => [x(window + at), y(value)]).reverse()];
    svg.append(shape("path", { d: `${path(band)}Z`, fill: paint("accent"), opacity: 0.18 }));
  }
  const truth = [...column.past, ...column.truth];
  svg.append(
    shape("line", { x1: x(window - 0.5), x2: x(window - 0.5), y1: top, y2: top + HEIGHT, stroke: paint("muted"), "stroke-dasharray": "2 3" }),
    shape("path", { d: path(truth.map((value, at) => [x(at), y(value)])), fill: "none", stroke: paint("ink"), "stroke-width": 1.4 }),
    shape("path", { d: path(column.forecast.map((value, at) => [x(window + at), y(value)])), fill: "none", stroke: paint("accent"), "stroke-width": 2.4 }));
}

function attention(svg, look, top, x) {
  const size = x(1) - x(0);
  const steps = look.weights.length;
  const line = Math.max(4, Math.min(14, Math.floor(150 / steps)));
  const most = Math.max(1e-9, ...look.weights.flat());
  svg.append(shape("text", { x: LEFT, y: top - 8, "font-size": 12.5, "font-weight": 600, fill: paint("ink") }, "attention of each step to the past"));
  look.weights.forEach((row, step) => row.forEach((weight, at) => svg.append(shape("rect", { x: x(at) - size / 2, y: top + step * line, width: size + 0.2, height: line, fill: weightColour(weight / most).fill, "data-tip": `step ${step + 1} \u2190 ${look.times[at]}: ${written(weight, 5)}` }))));
  svg.append(shape("text", { x: LEFT - 6, y: top + 10, "font-size": 11, "text-anchor": "end", fill: paint("muted") }, "step 1"), shape("text", { x: LEFT - 6, y: top + steps * line, "font-size": 11, "text-anchor": "end", fill: paint("muted") }, `step ${steps}`));
  return steps * line;
}

function drawn(look, room) {
  const width = Math.max(320, Math.min(1500, room - 8));
  const count = look.times.length;
  const x = (at) => LEFT + 8 + (at * (width - LEFT - 24)) / (count - 1);
  const below = look.weights === null ? 0 : look.weights.length * Math.max(4, Math.min(14, Math.floor(150 / look.weights.length))) + GAP;
  const height = look.columns.length * (HEIGHT + GAP) + below + 34;
  const svg = shape("svg", { "data-picture": true, width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Forecast of ${look.columns.map((each) => each.name).join(", ")} from ${look.times[look.columns[0].past.length]} on, over what came` });
  look.columns.forEach((column, at) => curves(svg, column, 22 + at * (HEIGHT + GAP), x, look));
  const bottom = 22 + look.columns.length * (HEIGHT + GAP);
  const used = look.weights === null ? 0 : attention(svg, look, bottom, x) + 6;
  const window = look.columns[0].past.length;
  for (const [at, anchor] of [[0, "start"], [window, "middle"], [count - 1, "end"]]) svg.append(shape("text", { x: x(at), y: bottom + used + 12, "font-size": 11, "text-anchor": anchor, fill: paint("muted") }, look.times[at].slice(0, 16)));
  svg.addEventListener("mousemove", (event) => {
    if (event.target.dataset.tip) return showTip(event, event.target.dataset.tip.split(": "));
    const at = Math.round(((event.clientX - svg.getBoundingClientRect().left - LEFT - 8) * (count - 1)) / (width - LEFT - 24));
    if (at < 0 || at >= count) return hideTip();
    showTip(event, [look.times[at], ...look.columns.map((column) => (at < window ? `${column.name} ${written(column.past[at])}` : `${column.name} ${written(column.truth[at - window])}, forecast ${written(column.forecast[at - window])}`))]);
  });
  svg.addEventListener("mouseleave", hideTip);
  return svg;
}

export function seriesCards(look, room, which) {
  const window = look.columns[0].past.length;
  const interval = look.columns[0].lower === null ? "" : `; shaded: the ${Math.round(100 * look.interval)} % interval`;
  return [card({
    name: `forecast${which}`, title: "Forecast", hint: `dark: what came; coloured: the forecast${interval}`, wide: true, picture: element("div", { class: "scroll" }, drawn(look, room)), data: () => look,
    rows: () => [["time", ...look.columns.flatMap((column) => [`${column.name}: truth`, "forecast", "lower", "upper"])], ...look.times.slice(window).map((time, at) => [time, ...look.columns.flatMap((column) => [column.truth[at], column.forecast[at], column.lower && column.lower[at], column.upper && column.upper[at]].map((value) => written(value)))])],
  })];
}
