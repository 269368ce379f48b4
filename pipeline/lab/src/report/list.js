// The list of verdicts: filters, order, pages, and rows that unfold.

const PAGE = 50;
const PRINTED_MAX = 500;
const DATA = JSON.parse(document.getElementById("data").textContent);

const view = { grades: new Set([0, 1, 2, 3]), type: "", detector: "", cause: "", text: "", key: "grade", down: true, page: 0, size: PAGE, open: new Set() };
let matches = [];

const detectorsOf = (verdict) => [...new Set(verdict.findings.map((finding) => finding.detector))];
const typeOf = (verdict) => DATA.devices[verdict.dev].type || "not in the inventory";

function causeName(verdict) {
  if (verdict.cause === null) return "";
  if (verdict.cause === "nothing") return "for nothing";
  if (verdict.cause === "ladder") return "volume ladder";
  return DATA.attacks[verdict.cause];
}

// What a search looks through, made once.
function haystack(verdict) {
  verdict.words ??= [verdict.id, DATA.devices[verdict.dev].id, typeOf(verdict), DATA.devices[verdict.dev].segment, verdict.say, ...detectorsOf(verdict), causeName(verdict), verdict.at].join(" ").toLowerCase();
  return verdict.words;
}

const ORDER = {
  grade: (a, b) => a.grade - b.grade || b.ms - a.ms,
  opened: (a, b) => a.ms - b.ms,
  device: (a, b) => DATA.devices[a.dev].id.localeCompare(DATA.devices[b.dev].id) || a.ms - b.ms,
  risk: (a, b) => (a.risk[0] ?? -1) - (b.risk[0] ?? -1) || a.grade - b.grade,
};

function fits(verdict) {
  if (view.type && typeOf(verdict) !== view.type) return false;
  if (view.detector && !verdict.findings.some((finding) => finding.detector === view.detector)) return false;
  if (view.cause === "attack" && (verdict.cause === "nothing" || verdict.cause === "ladder")) return false;
  if (view.cause === "nothing" && verdict.cause !== "nothing") return false;
  if (view.cause === "ladder" && verdict.cause !== "ladder") return false;
  return view.text.toLowerCase().split(/\s+/).every((word) => haystack(verdict).includes(word));
}

function select() {
  const rest = DATA.verdicts.filter(fits);
  const counts = [0, 0, 0, 0];
  for (const verdict of rest) counts[verdict.grade] += 1;
  matches = rest.filter((verdict) => view.grades.has(verdict.grade));
  const order = ORDER[view.key];
  matches.sort((a, b) => (view.down ? order(b, a) : order(a, b)));
  view.page = Math.min(view.page, Math.max(0, Math.ceil(matches.length / view.size) - 1));
  return counts;
}

const parts = {};

function refresh() {
  const counts = select();
  parts.chips.forEach((chip, at) => {
    const grade = 3 - at;
    chip.setAttribute("aria-pressed", String(view.grades.has(grade)));
    chip.querySelector(".n").textContent = counts[grade].toLocaleString("en");
  });
  const shown = matches.slice(view.page * view.size, (view.page + 1) * view.size);
  const all = DATA.verdicts.length.toLocaleString("en");
  parts.status.textContent = matches.length === DATA.verdicts.length ? `${all} verdicts` : `${matches.length.toLocaleString("en")} of ${all} verdicts`;
  parts.body.replaceChildren(...shown.flatMap(rows));
  if (shown.length === 0) parts.body.append(el("tr", {}, el("td", { colspan: 5 }, DATA.verdicts.length === 0 ? "Nothing was raised." : "No verdict fits these filters.")));
  pages(parts.pager, view.page, Math.ceil(matches.length / view.size), (page) => {
    view.page = page;
    refresh();
    parts.table.scrollIntoView({ block: "start" });
  });
  for (const head of parts.heads) {
    const own = head.dataset.key === view.key;
    head.setAttribute("aria-sort", own ? (view.down ? "descending" : "ascending") : "none");
  }
}

function pages(pager, page, count, go) {
  pager.hidden = count < 2;
  pager.replaceChildren(
    el("button", { type: "button", disabled: page === 0, onclick: () => go(page - 1) }, "Previous"),
    el("span", {}, `page ${page + 1} of ${count}`),
    el("button", { type: "button", disabled: page + 1 >= count, onclick: () => go(page + 1) }, "Next"),
  );
}

function rows(verdict) {
  const device = DATA.devices[verdict.dev];
  const isOpen = view.open.has(verdict.id);
  const detail = el("tr", { class: "detail", id: `detail-${verdict.id}`, hidden: !isOpen }, el("td", { colspan: 5 }));
  const button = el("button", { type: "button", class: "unfold", "aria-expanded": String(isOpen), "aria-controls": detail.id, onclick: () => toggle(verdict, button, detail) }, gradeMark(verdict.grade));
  if (isOpen) detail.firstChild.append(sheet(verdict, parts.table.clientWidth || 1000));
  const cause = causeName(verdict);
  const row = el(
    "tr",
    { class: "row", onclick: (event) => event.target.closest("button, a") || getSelection().toString() || button.click() },
    el("td", {}, button),
    el("td", { class: "when" }, verdict.at),
    el("th", { class: "device", scope: "row" }, device.id, el("div", { class: "sub" }, typeOf(verdict))),
    el("td", {}, verdict.say.replace(/^It is over\. /, ""), el("div", {}, detectorsOf(verdict).map((name) => el("span", { class: "tag" }, name)), cause ? el("span", { class: verdict.cause === "nothing" ? "tag nothing" : "tag caused" }, cause) : null, verdict.state === "cleared" ? null : el("span", { class: "tag" }, "open at the end"))),
    el("td", { class: "number" }, verdict.risk[0] === null ? "–" : String(verdict.risk[0])),
  );
  return [row, detail];
}

function toggle(verdict, button, detail) {
  const opens = detail.hidden;
  if (opens) {
    view.open.add(verdict.id);
    detail.firstChild.replaceChildren(sheet(verdict, parts.table.clientWidth));
    history.replaceState(null, "", `#${verdict.id}`);
  } else {
    view.open.delete(verdict.id);
  }
  detail.hidden = !opens;
  button.setAttribute("aria-expanded", String(opens));
}

function choice(name, all, options, key) {
  const change = (event) => {
    view[key] = event.currentTarget.value;
    view.page = 0;
    refresh();
  };
  return el("select", { "aria-label": name, name: key, onchange: change }, el("option", { value: "" }, all), options.map(([value, text]) => el("option", { value }, text)));
}

function listed(of) {
  const names = new Set(DATA.verdicts.flatMap(of));
  return [...names].sort((a, b) => a.localeCompare(b)).map((name) => [name, name]);
}

function flip(grade) {
  if (!view.grades.delete(grade)) view.grades.add(grade);
  view.page = 0;
  refresh();
}

function clearFilters() {
  Object.assign(view, { grades: new Set([0, 1, 2, 3]), type: "", detector: "", cause: "", text: "", page: 0 });
  for (const control of parts.filters.querySelectorAll("select, input")) control.value = "";
  refresh();
}

function sortBy(key) {
  view.down = view.key === key ? !view.down : key === "grade" || key === "risk";
  view.key = key;
  refresh();
}

function searchFor(text) {
  view.text = text;
  view.page = 0;
  parts.search.value = text;
  refresh();
}

function buildList(place) {
  parts.chips = [3, 2, 1, 0].map((grade) => el("button", { type: "button", "aria-pressed": "true", onclick: () => flip(grade) }, el("span", { class: `grade ${gradeClass(grade)}` }, lamp(grade), GRADES[grade], " ", el("span", { class: "n" }))));
  parts.search = el("input", { type: "search", placeholder: "Search device, words, id  ( / )", "aria-label": "Search verdicts", oninput: (event) => searchFor(event.currentTarget.value) });
  const causes = [["attack", "caused by an attack"], ["nothing", "for nothing"], ["ladder", "volume ladder"]];
  parts.filters = el(
    "div",
    { class: "filters", role: "search" },
    el("fieldset", {}, el("legend", { class: "aside" }, "Grades"), parts.chips),
    choice("Device type", "all device types", listed((verdict) => typeOf(verdict)), "type"),
    choice("Detector", "all detectors", listed(detectorsOf), "detector"),
    DATA.labelled ? choice("Cause", "all causes", causes, "cause") : null,
    parts.search,
    el("button", { type: "button", onclick: clearFilters }, "Clear"),
  );
  parts.status = el("p", { class: "status", role: "status" });
  const head = (key, text, numeric) => el("th", { scope: "col", "data-key": key, class: numeric ? "number" : null }, el("button", { type: "button", class: "sort", onclick: () => sortBy(key) }, text));
  parts.heads = [head("grade", "Worst grade"), head("opened", "Opened (plant time)"), head("device", "Device"), head("risk", "Risk", true)];
  const [grade, opened, device, risk] = parts.heads;
  parts.body = el("tbody");
  parts.table = el("table", { class: "verdicts" }, el("caption", { class: "aside" }, "Verdicts"), el("thead", {}, el("tr", {}, grade, opened, device, el("th", { scope: "col" }, "What was found"), risk)), parts.body);
  parts.pager = el("div", { class: "pager" });
  place.append(parts.filters, parts.status, parts.table, parts.pager);
  place.hidden = false;
  refresh();
}
