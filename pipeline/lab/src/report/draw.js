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

const bandText = (band) => (band.low.n === 0 ? `${band.name}: up to ${band.high.t}` : `${band.name}: ${band.low.t} – ${band.high.t}`);

function gaugeWords(gauge) {
  const expected = [...gauge.bands.map(bandText), ...gauge.lines.map(([name, line]) => `${name} ${line.t}`)];
  return `${gauge.label}: ${gauge.value.t}; ${expected.join("; ")}`;
}

// A label that stays inside the drawing.
function label(x, y, text, width, attributes = {}) {
  const half = text.length * 3.4;
  const anchor = x - half < 0 ? "start" : x + half > width ? "end" : "middle";
  const place = anchor === "start" ? Math.max(x - half, 0) : anchor === "end" ? Math.min(x + half, width) : x;
  return svg("text", { x: anchor === "middle" ? x : place, y, "text-anchor": anchor, ...attributes }, text);
}

// One value on its axis: the band it should lie in, the lines it should not cross.
function gaugeChart(gauge, width) {
  const { at, log } = scale(numbersOf(gauge), 8, width - 8);
  const axis = 38;
  const parts = [svg("line", { class: "axis", x1: 8, x2: width - 8, y1: axis, y2: axis })];
  let row = axis + 26;
  for (const band of gauge.bands) {
    const [left, right] = [at(band.low.n), at(band.high.n)];
    parts.push(svg("rect", { class: "band", x: left, y: axis - 9, width: Math.max(right - left, 3), height: 18 }));
    parts.push(label((left + right) / 2, row, bandText(band), width));
    row += 16;
  }
  for (const [name, line] of gauge.lines) {
    const x = at(line.n);
    parts.push(svg("line", { class: "limit", x1: x, x2: x, y1: axis - 14, y2: row - 11 }));
    parts.push(label(x, row, `${name} ${line.t}`, width));
    row += 16;
  }
  const x = at(gauge.value.n);
  parts.push(svg("path", { class: "mark", d: `M${x} ${axis - 7}l7 7-7 7-7-7z` }));
  parts.push(label(x, axis - 14, gauge.value.t, width, { class: "value" }));
  parts.push(svg("text", { x: 0, y: 10 }, gauge.label + (log ? " (logarithmic axis)" : "")));
  const height = row - 8;
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": gaugeWords(gauge) }, parts);
}

// The lamp of a grade, drawn at a place.
const SHAPES = ["M0-6 6 5H-6z", "M0-7 7 0 0 7-7 0z", "M-5-5H5V5H-5z", "M-4-6H4L8 0 4 6H-4L-8 0z"];

function point(x, y, step) {
  const over = step.state === "cleared";
  const shape = over ? svg("circle", { class: "over", r: 4.5 }) : svg("path", { class: gradeClass(step.grade), d: SHAPES[step.grade] });
  return svg("g", { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }, svg("title", {}, `${step.at}: ${step.state}, ${GRADES[step.grade]}`), shape);
}

// How one episode went: what was measured at each revision against its band, or the risk if nothing
// was. `series` has a value for each step, or null.
function stepChart(steps, series, gauge, name, width) {
  const [left, right, top, bottom] = [8, width - 16, 30, 132];
  const known = series.filter((value) => value !== null);
  const numbers = gauge ? [...known, ...numbersOf(gauge)] : [0, 100];
  const y = scale(numbers, bottom, top);
  const [first, last] = [steps[0].ms, steps[steps.length - 1].ms];
  const x = (ms) => left + 8 + ((right - left - 8) * (ms - first)) / Math.max(last - first, 1);
  const parts = [svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom })];
  for (const band of gauge ? gauge.bands : []) {
    const [high, low] = [y.at(band.high.n), y.at(band.low.n)];
    parts.push(svg("rect", { class: "band", x: left, y: high, width: right - left, height: Math.max(low - high, 2) }));
    parts.push(svg("text", { x: right, y: Math.max(high - 4, 22), "text-anchor": "end" }, bandText(band)));
  }
  for (const [text, line] of gauge ? gauge.lines : []) {
    parts.push(svg("line", { class: "limit", x1: left, x2: right, y1: y.at(line.n), y2: y.at(line.n) }));
    parts.push(svg("text", { x: left + 2, y: y.at(line.n) - 4 }, `${text} ${line.t}`));
  }
  const places = steps.map((step, at) => (series[at] === null ? null : [x(step.ms), y.at(series[at]), step])).filter(Boolean);
  parts.push(svg("path", { class: "trace", d: places.map(([px, py], at) => (at === 0 ? `M${px} ${py}` : `H${px}V${py}`)).join("") }));
  parts.push(places.map(([px, py, step]) => point(px, py, step)));
  parts.push(svg("text", { x: 0, y: 12 }, name + (y.log ? " (logarithmic axis)" : "")));
  parts.push(svg("text", { x: left, y: bottom + 18 }, steps[0].at));
  parts.push(svg("text", { x: right, y: bottom + 18, "text-anchor": "end" }, steps[steps.length - 1].at));
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} 156`, width, height: 156, role: "img", "aria-label": `${name}, revision by revision; the table below holds the same` }, parts);
}
