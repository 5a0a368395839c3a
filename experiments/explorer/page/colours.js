// Colours of numbers: a straight way through OKLab from pale yellow to deep blue, or in the dark from blue to yellow.
// Lightness rises or falls evenly, and hues lie on the axis of blue and yellow, which those see who confuse red and
// green.

const WAYS = {
  light: [[0.975, -0.003, 0.012], [0.3, -0.012, -0.125]],
  dark: [[0.235, -0.01, -0.03], [0.93, -0.02, 0.13]],
};
const BALANCED = {
  light: [[0.42, -0.01, -0.13], [0.97, 0, 0], [0.52, 0.02, 0.11]],
  dark: [[0.72, -0.03, -0.13], [0.24, 0, 0], [0.82, 0.01, 0.15]],
};

function ofLab([light, a, b]) {
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return "#" + linear.map((part) => {
    const bounded = Math.min(1, Math.max(0, part));
    const byte = Math.round(255 * (bounded <= 0.0031308 ? 12.92 * bounded : 1.055 * bounded ** (1 / 2.4) - 0.055));
    return byte.toString(16).padStart(2, "0");
  }).join("");
}

function between(one, other, share) {
  return one.map((part, place) => part + (other[place] - part) * share);
}

export function theme() {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

// Of a weight from 0 to 1: its colour, and that of a number on it.
export function weightColour(weight) {
  const [low, high] = WAYS[theme()];
  const lab = between(low, high, Math.min(1, Math.max(0, weight)));
  return { fill: ofLab(lab), ink: lab[0] > 0.6 ? "#12181b" : "#f4f7f7" };
}

// Of a number from -1 to 1.
export function balancedColour(value) {
  const [low, middle, high] = BALANCED[theme()];
  const bounded = Math.min(1, Math.max(-1, value));
  return ofLab(bounded < 0 ? between(middle, low, -bounded) : between(middle, high, bounded));
}

export function paint(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
