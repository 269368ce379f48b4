// Elements, and the drawings of what was measured. Text from data enters the page as text only.
"use strict";

const GRADES = ["LOW", "MEDIUM", "HIGH", "CRITICAL"];
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === "") continue;
    node.append(child);
  }
  return node;
}

const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const gradeClass = (grade) => GRADES[grade].toLowerCase();

function lamp(grade) {
  return svg("svg", { class: "lamp", "aria-hidden": "true" }, svg("use", { href: `#lamp-${gradeClass(grade)}` }));
}

function gradeMark(grade) {
  return el("span", { class: `grade ${gradeClass(grade)}` }, lamp(grade), GRADES[grade]);
}

// A scale that keeps a band readable beside a value hundreds of times as large.
function scale(numbers, from, to) {
  const top = Math.max(...numbers, 0);
  const low = Math.min(...numbers.filter((n) => n > 0), Infinity);
  const log = low < Infinity && top / low > 30;
  if (!log) {
    const end = top > 0 ? top * 1.06 : 1;
    return { log, at: (n) => from + ((to - from) * Math.max(n, 0)) / end };
  }
  const floor = Math.log10(low) - 0.4;
  const end = Math.log10(top) + 0.12;
  return { log, at: (n) => (n <= 0 ? from : from + ((to - from) * Math.max(Math.log10(n) - floor, 0)) / (end - floor)) };
}

const numbersOf = (gauge) => [
  gauge.value.n,
  ...gauge.bands.flatMap((band) => [band.low.n, band.high.n]),
  ...gauge.lines.map(([, line]) => line.n),
];

function bandText(band) {
  if (band.low.t === band.high.t) return `${band.name}: ${band.high.t}`;
  return band.low.n === 0 ? `${band.name}: up to ${band.high.t}` : `${band.name}: ${band.low.t} – ${band.high.t}`;
}

function gaugeWords(gauge) {
  const expected = [...gauge.bands.map(bandText), ...gauge.lines.map(([name, line]) => `${name} ${line.t}`)];
  return `${gauge.label}: ${gauge.value.t}; ${expected.join("; ")}`;
}

// About as wide as a text is drawn.
const LETTER = 6.6;

// Labels below an axis, each at its place, in as few rows as they need.
function placed(labels, width) {
  const rows = [];
  for (const item of labels) {
    const half = (item.text.length * LETTER) / 2;
    item.x = Math.min(Math.max(item.at, half), Math.max(width - half, half));
    const free = (row) => row.every((other) => Math.abs(other.x - item.x) > half + (other.text.length * LETTER) / 2 + 8);
    item.row = rows.findIndex(free);
    if (item.row < 0) item.row = rows.push([]) - 1;
    rows[item.row].push(item);
  }
  return rows.length;
}

// One value on its axis: the band it should lie in, the lines it should not cross.
function gaugeChart(gauge, width) {
  const { at, log } = scale(numbersOf(gauge), 8, width - 8);
  const axis = 42;
  const parts = [svg("line", { class: "axis", x1: 8, x2: width - 8, y1: axis, y2: axis })];
  const labels = [
    ...gauge.lines.map(([name, line]) => ({ at: at(line.n), text: `${name} ${line.t}`, leads: true })),
    ...gauge.bands.map((band) => ({ at: (at(band.low.n) + at(band.high.n)) / 2, text: bandText(band) })),
  ];
  const rows = placed(labels, width);
  for (const band of gauge.bands) {
    const [left, right] = [at(band.low.n), at(band.high.n)];
    parts.push(svg("rect", { class: "band", x: left, y: axis - 9, width: Math.max(right - left, 3), height: 18 }));
  }
  for (const item of labels) {
    const y = axis + 26 + item.row * 16;
    if (item.leads) parts.push(svg("line", { class: "limit", x1: item.at, x2: item.at, y1: axis - 14, y2: y - 12 }));
    parts.push(svg("text", { x: item.x, y, "text-anchor": "middle" }, item.text));
  }
  const x = at(gauge.value.n);
  const half = (gauge.value.t.length * 7.2) / 2;
  parts.push(svg("path", { class: "mark", d: `M${x} ${axis - 7}l7 7-7 7-7-7z` }));
  parts.push(svg("text", { class: "value", x: Math.min(Math.max(x, half), width - half), y: axis - 13, "text-anchor": "middle" }, gauge.value.t));
  parts.push(svg("text", { x: 0, y: 11 }, gauge.label + (log ? " (logarithmic axis)" : "")));
  const height = axis + 18 + rows * 16;
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": gaugeWords(gauge) }, parts);
}

// The lamp of a grade, drawn at a place.
const SHAPES = ["M0-6 6 5H-6z", "M0-7 7 0 0 7-7 0z", "M-5-5H5V5H-5z", "M-4-6H4L8 0 4 6H-4L-8 0z"];

function point(x, y, step) {
  const over = step.state === "cleared";
  const shape = over ? svg("circle", { class: "over", r: 4.5 }) : svg("path", { class: gradeClass(step.grade), d: SHAPES[step.grade] });
  return svg("g", { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }, svg("title", {}, `${step.at}: ${step.state}, ${GRADES[step.grade]}`), shape);
}

// Names beside a drawing, each at its height and none over another.
function beside(labels, x, top) {
  labels.sort((a, b) => a.y - b.y);
  let free = top;
  return labels.map(({ y, text }) => {
    free = Math.max(free, y + 4);
    const label = svg("text", { x, y: free }, text);
    free += 15;
    return label;
  });
}

// Where the grades begin, for an episode of which nothing was measured but its risk.
const RISK = {
  value: { n: 100, t: "100" },
  bands: [],
  lines: [["CRITICAL from", { n: 95, t: "95" }], ["HIGH from", { n: 75, t: "75" }], ["MEDIUM from", { n: 50, t: "50" }]],
};

// How one episode went: what was measured at each revision against its band, or the risk if nothing
// was. `series` has a value for each step, or null. Revisions stand side by side, not by time: most
// come within minutes, and the last a day later.
function stepChart(steps, series, gauge, name, width) {
  const words = [...gauge.bands.map(bandText), ...gauge.lines.map(([text, line]) => `${text} ${line.t}`)];
  const gutter = Math.min(Math.max(...words.map((text) => text.length)) * LETTER + 12, width * 0.6);
  const [left, right, top, bottom] = [10, width - gutter, 30, 128];
  const known = series.filter((value) => value !== null);
  const y = scale([...known, ...numbersOf(gauge)], bottom, top);
  const x = (at) => left + 8 + ((right - left - 16) * at) / Math.max(steps.length - 1, 1);
  const parts = [svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom })];
  const names = [];
  for (const band of gauge.bands) {
    const [high, low] = [y.at(band.high.n), y.at(band.low.n)];
    parts.push(svg("rect", { class: "band", x: left, y: high, width: right - left, height: Math.max(low - high, 2) }));
    names.push({ y: (high + low) / 2, text: bandText(band) });
  }
  for (const [text, line] of gauge.lines) {
    parts.push(svg("line", { class: "limit", x1: left, x2: right, y1: y.at(line.n), y2: y.at(line.n) }));
    names.push({ y: y.at(line.n), text: `${text} ${line.t}` });
  }
  const places = steps.map((step, at) => (series[at] === null ? null : [x(at), y.at(series[at]), step])).filter(Boolean);
  parts.push(svg("path", { class: "trace", d: places.map(([px, py], at) => `${at === 0 ? "M" : "L"}${px} ${py}`).join("") }));
  parts.push(places.map(([px, py, step]) => point(px, py, step)));
  parts.push(beside(names, right + 8, top));
  parts.push(svg("text", { x: 0, y: 12 }, name + (y.log ? " (logarithmic axis)" : "")));
  parts.push(svg("text", { x: left, y: bottom + 18 }, `revision ${steps[0].n}`));
  parts.push(svg("text", { x: right, y: bottom + 18, "text-anchor": "end" }, String(steps[steps.length - 1].n)));
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} 152`, width, height: 152, role: "img", "aria-label": `${name}, revision by revision; the table below holds the same` }, parts);
}
