// Words with bars: one row of a heat map, or what each position adds.

import { shape, shown, shortened, written, showTip, hideTip } from "./dom.js";
import { paint } from "./colours.js";

const LINE = 22;

// words; series: each { title, values, digits }, drawn side by side; a value may be null, or below 0.
export function bars({ words, series, label }) {
  const first = Math.max(...words.map((word) => [...shortened(shown(word), 16)].length)) * 7.4 + 12;
  const [bar, gap] = [96, 62];
  const width = Math.ceil(first + series.length * (bar + gap));
  const height = 24 + words.length * LINE + 4;
  const svg = shape("svg", { "data-picture": true, width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  series.forEach((each, number) => {
    const known = each.values.filter((value) => value !== null);
    const [low, high] = [Math.min(0, ...known), Math.max(1e-9, ...known)];
    const left = first + number * (bar + gap);
    const zero = left + (bar * -low) / (high - low);
    svg.append(shape("text", { x: left, y: 14, "font-size": 11.5, fill: paint("muted") }, each.title));
    each.values.forEach((value, row) => {
      const top = 24 + row * LINE;
      if (value === null) return;
      const length = (bar * Math.abs(value)) / (high - low);
      svg.append(
        shape("rect", { x: left, y: top + 4, width: bar, height: LINE - 8, fill: paint("sunken") }),
        shape("rect", { x: value < 0 ? zero - length : zero, y: top + 4, width: length, height: LINE - 8, fill: number === 0 ? paint("accent") : paint("muted") }),
        shape("text", { x: left + bar + 6, y: top + 15, "font-size": 11.5, fill: paint("ink") }, written(value, each.digits === undefined ? 3 : each.digits)));
    });
  });
  words.forEach((word, row) => svg.append(shape("text", { x: first - 8, y: 24 + row * LINE + 15, "font-size": 13, "text-anchor": "end", fill: paint("ink") }, shortened(shown(word), 16))));
  svg.addEventListener("mousemove", (event) => {
    const row = Math.floor((event.clientY - svg.getBoundingClientRect().top - 24) / LINE);
    if (row < 0 || row >= words.length) return hideTip();
    showTip(event, [shown(words[row]), ...series.map((each) => `${each.title}: ${written(each.values[row], 6)}`)]);
  });
  svg.addEventListener("mouseleave", hideTip);
  return svg;
}
