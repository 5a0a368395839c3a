// A heat map with words on both axes: hover and arrow keys tell the numbers, a click or Enter chooses a row.

import { shape, shown, shortened, written, say, showTip, hideTip } from "./dom.js";
import { weightColour, balancedColour, paint } from "./colours.js";

const LINE = 26;
const CHARACTER = 7.4;

function widest(words, most) {
  return Math.max(...words.map((word) => [...shortened(shown(word), most)].length)) * CHARACTER + 10;
}

// The least and the most room for a column.
function columnWidth(columns, room, digits) {
  const least = digits ? 34 : 20;
  return Math.max(least, Math.min(46, Math.floor(room / columns)));
}

function hatch(id) {
  return shape("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    shape("rect", { width: 6, height: 6, fill: paint("sunken") }),
    shape("line", { x1: 0, y1: 0, x2: 0, y2: 6, stroke: paint("line"), "stroke-width": 2 }));
}

let patterns = 0;

// rows, columns: words; values: a row of numbers for each, null where there is nothing; beside: columns of small bars
// at the right, each { title, values, most, digits }; below: likewise a row; chosen: the number of a row; balanced:
// whether values go from -1 to 1; masked: columns that the mask hides; tell: lines of the tip of (row, column); choose: is told of a row.
export function heatmap({ rows, columns, values, room, digits, beside = [], below, chosen, balanced, masked = [], tell, choose, label }) {
  const rowWidth = Math.max(68, widest(rows, 18));
  const besideWidth = beside.length * 74;
  const width = columnWidth(columns.length, room - rowWidth - besideWidth - 12, digits);
  const headHeight = Math.min(118, widest(columns, 16) * 0.78 + 16);
  const tail = 0.62 * Math.min(16, [...shown(columns[columns.length - 1])].length) * CHARACTER;
  const total = { width: Math.ceil(rowWidth + columns.length * width + Math.max(besideWidth, tail) + 12), height: Math.ceil(headHeight + rows.length * LINE + (below ? LINE + 8 : 0) + 4) };
  const x = (column) => rowWidth + column * width;
  const y = (row) => headHeight + row * LINE;
  const id = `hatch${patterns += 1}`;
  const svg = shape("svg", { "data-picture": true, width: total.width, height: total.height, viewBox: `0 0 ${total.width} ${total.height}`, tabindex: 0, role: "application", "aria-label": `${label}; arrow keys move, Enter chooses a row, the button Table has the numbers` }, shape("defs", {}, hatch(id)));
  const [ink, muted, accent, tint] = ["ink", "muted", "accent", "tint"].map(paint);

  columns.forEach((word, column) => {
    const [at, top] = [x(column) + width / 2, headHeight - 8];
    svg.append(shape("text", { x: at, y: top, "font-size": 13, fill: ink, transform: `rotate(-52 ${at} ${top})` }, shortened(shown(word), 16)));
  });
  rows.forEach((word, row) => {
    const isChosen = row === chosen;
    const line = shape("g", { "data-row": row, cursor: choose ? "pointer" : null, onclick: () => choose && choose(row) });
    if (isChosen) line.append(shape("rect", { x: 0, y: y(row), width: rowWidth - 2, height: LINE, rx: 3, fill: tint }));
    line.append(shape("text", { x: rowWidth - 8, y: y(row) + 18, "font-size": 13.5, "text-anchor": "end", fill: isChosen ? accent : ink, "font-weight": isChosen ? 650 : null }, shortened(shown(word), 18)));
    values[row].forEach((value, column) => {
      const colour = value === null ? null : balanced ? { fill: balancedColour(value), ink } : weightColour(value);
      line.append(shape("rect", { x: x(column) + 0.5, y: y(row) + 0.5, width: width - 1, height: LINE - 1, fill: colour ? colour.fill : `url(#${id})`, "data-column": column }));
      if (value !== null && masked.includes(column)) line.append(shape("rect", { x: x(column) + 0.5, y: y(row) + 0.5, width: width - 1, height: LINE - 1, fill: `url(#${id})`, "pointer-events": "none" }));
      else if (digits && value !== null && Math.abs(value) >= 0.005) line.append(shape("text", { x: x(column) + width / 2, y: y(row) + 17, "font-size": 11, "text-anchor": "middle", fill: colour.ink, "pointer-events": "none" }, written(value, 2)));
    });
    svg.append(line);
    beside.forEach((each, number) => {
      const [left, value] = [x(columns.length) + 12 + number * 74, each.values[row]];
      svg.append(
        shape("rect", { x: left, y: y(row) + 9, width: 30, height: 8, fill: paint("sunken") }),
        shape("rect", { x: left, y: y(row) + 9, width: 30 * Math.min(1, value / each.most), height: 8, fill: muted }),
        shape("text", { x: left + 34, y: y(row) + 17, "font-size": 11, fill: muted }, written(value, 2)));
    });
  });
  beside.forEach((each, number) => svg.append(shape("text", { x: x(columns.length) + 12 + number * 74, y: headHeight - 8, "font-size": 11, fill: muted }, each.title)));
  if (below) {
    const top = y(rows.length) + 6;
    svg.append(shape("text", { x: rowWidth - 8, y: top + 17, "font-size": 11, "text-anchor": "end", fill: muted }, below.title));
    below.values.forEach((value, column) => {
      if (value === null) return;
      const height = 20 * Math.min(1, value / below.most);
      svg.append(shape("rect", { x: x(column) + 3, y: top + 22 - height, width: width - 6, height, fill: muted }, shape("title", {}, `${below.title} of ${shown(columns[column])}: ${written(value)}`)));
    });
    svg.append(shape("line", { x1: rowWidth, x2: x(columns.length), y1: top + 22, y2: top + 22, stroke: paint("line") }));
  }

  const cursor = shape("rect", { "data-passing": true, width, height: LINE, fill: "none", stroke: accent, "stroke-width": 2, visibility: "hidden", "pointer-events": "none" });
  svg.append(cursor);
  let [row, column] = [Math.max(0, chosen), 0];
  const move = () => {
    cursor.setAttribute("x", x(column));
    cursor.setAttribute("y", y(row));
    cursor.setAttribute("visibility", "visible");
  };
  const told = (event) => {
    const lines = tell(row, column);
    say(lines.join(", "));
    showTip(event, lines);
  };
  svg.addEventListener("mousemove", (event) => {
    const cell = event.target.closest("[data-column]");
    if (cell === null) return hideTip();
    [row, column] = [Number(cell.parentNode.dataset.row), Number(cell.dataset.column)];
    move();
    showTip(event, tell(row, column));
  });
  svg.addEventListener("mouseleave", () => { hideTip(); cursor.setAttribute("visibility", "hidden"); });
  svg.addEventListener("blur", () => { hideTip(); cursor.setAttribute("visibility", "hidden"); });
  svg.addEventListener("keydown", (event) => {
    const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] || [0, 0];
    if ((event.key === "Enter" || event.key === " ") && choose) { event.preventDefault(); return choose(row, true); }
    if (event.key === "Escape") return hideTip();
    if (!down && !right) return;
    event.preventDefault();
    row = Math.min(rows.length - 1, Math.max(0, row + down));
    column = Math.min(columns.length - 1, Math.max(0, column + right));
    move();
    const box = cursor.getBoundingClientRect();
    told({ x: box.right, y: box.bottom });
  });
  return svg;
}
