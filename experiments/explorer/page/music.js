// A piano roll: a bar for each note, as long as it lasts.

import { element, shape, written, showTip, hideTip } from "./dom.js";
import { theme, paint } from "./colours.js";
import { card } from "./card.js";

// Told apart by those who do not see all colours (Okabe and Ito 2008).
const VOICES = { light: ["#0072b2", "#b97700", "#00795a", "#a8447f"], dark: ["#56b4e9", "#e69f00", "#2fbf93", "#e08fc0"] };
const LINE = 9;

function drawn(piece, room) {
  const notes = piece.voices.flat();
  const [low, high] = [Math.min(...notes.map((note) => note.pitch)) - 2, Math.max(...notes.map((note) => note.pitch)) + 2];
  const left = 46;
  const unit = Math.max(14, Math.min(96, (room - left - 16) / piece.length));
  const [width, height] = [Math.ceil(left + unit * piece.length + 8), (high - low + 1) * LINE + 40];
  const y = (pitch) => 22 + (high - pitch) * LINE;
  const svg = shape("svg", { "data-picture": true, width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Piano roll of ${piece.voices.length} voices` });
  for (let pitch = low; pitch <= high; pitch += 1) {
    if ([1, 3, 6, 8, 10].includes(pitch % 12)) svg.append(shape("rect", { x: left, y: y(pitch), width: unit * piece.length, height: LINE, fill: paint("sunken") }));
    if (pitch % 12 === 0) svg.append(shape("text", { x: left - 6, y: y(pitch) + LINE, "font-size": 10.5, "text-anchor": "end", fill: paint("muted") }, `C${pitch / 12 - 1}`));
  }
  for (const bar of piece.bars) {
    svg.append(shape("line", { x1: left + unit * bar.start, x2: left + unit * bar.start, y1: 18, y2: height - 18, stroke: paint("line") }));
    if (bar.chords.length) svg.append(shape("text", { x: left + unit * bar.start + 3, y: 13, "font-size": 11, fill: paint("ink") }, bar.chords.join(" ")));
  }
  piece.voices.forEach((voice, number) => voice.forEach((note) => svg.append(shape("rect", { x: left + unit * note.start + 0.5, y: y(note.pitch) + 0.5, width: Math.max(2, unit * note.duration - 1), height: LINE - 1, rx: 2, fill: VOICES[theme()][number % 4], "data-tip": `voice ${number + 1}: note ${note.pitch}, from ${written(note.start, 2)} for ${written(note.duration, 2)} quarters` }))));
  svg.append(shape("text", { x: left, y: height - 4, "font-size": 11, fill: paint("muted") }, `${piece.length} quarter notes`));
  svg.addEventListener("mousemove", (event) => (event.target.dataset.tip ? showTip(event, event.target.dataset.tip.split(": ")) : hideTip()));
  svg.addEventListener("mouseleave", hideTip);
  return svg;
}

export function rollCard(piece, room, which) {
  return card({
    name: `roll${which}`, title: "Piano roll", hint: `${piece.voices.length} voices, the highest first`, wide: true, picture: element("div", { class: "scroll" }, drawn(piece, room)), data: () => piece,
    rows: () => [["voice", "note", "from", "quarters"], ...piece.voices.flatMap((voice, number) => voice.map((note) => [String(number + 1), String(note.pitch), written(note.start, 2), written(note.duration, 2)]))],
  });
}
