// Every device with a verdict, in any order; its name leads to its verdicts.

const DEVICE_PAGE = 25;
const fleet = { key: "worst", down: true, page: 0, rows: [] };

function countDevices() {
  fleet.rows = DATA.devices.map((device) => ({ device, counts: [0, 0, 0, 0], all: 0 }));
  for (const verdict of DATA.verdicts) {
    fleet.rows[verdict.dev].counts[verdict.grade] += 1;
    fleet.rows[verdict.dev].all += 1;
  }
}

const worstFirst = (a, b) => {
  for (const grade of [3, 2, 1, 0]) if (a.counts[grade] !== b.counts[grade]) return a.counts[grade] - b.counts[grade];
  return b.device.id.localeCompare(a.device.id);
};

const DEVICE_COLUMNS = [
  ["id", "Device", (a, b) => a.device.id.localeCompare(b.device.id)],
  ["type", "Type", (a, b) => a.device.type.localeCompare(b.device.type) || worstFirst(b, a)],
  ["segment", "Segment", (a, b) => a.device.segment.localeCompare(b.device.segment) || worstFirst(b, a)],
  ["class", "Risk class", (a, b) => rank(a.device.class) - rank(b.device.class) || worstFirst(a, b)],
  ["risk", "Risk at the end", (a, b) => (a.device.score ?? -1) - (b.device.score ?? -1) || worstFirst(a, b)],
  ["all", "Verdicts", (a, b) => a.all - b.all || worstFirst(a, b)],
  ["worst", "By worst grade", worstFirst],
];

function rank(name) {
  return ["GREEN", "YELLOW", "ORANGE", "RED"].indexOf(name ?? "");
}

function deviceRow({ device, counts, all }) {
  const find = () => {
    clearFilters();
    searchFor(device.id);
    document.getElementById("verdicts").scrollIntoView();
  };
  const kinds = [3, 2, 1, 0].filter((grade) => counts[grade] > 0).map((grade) => [el("span", { class: `grade ${gradeClass(grade)}` }, lamp(grade), `${counts[grade].toLocaleString("en")} ${GRADES[grade]}`), " "]);
  return el(
    "tr",
    {},
    el("td", {}, el("button", { type: "button", onclick: find }, device.id)),
    el("td", {}, device.type || "not in the inventory"),
    el("td", {}, device.segment || "–"),
    el("td", {}, (device.class ?? "–") + (device.safety ? ", safety-critical" : "")),
    el("td", { class: "number" }, device.score === null || device.score === undefined ? device.band : `${device.score} ${device.band}`),
    el("td", { class: "number" }, all.toLocaleString("en")),
    el("td", {}, kinds),
  );
}

function buildDevices(place) {
  countDevices();
  const body = el("tbody", { class: "device-rows" });
  const pager = el("div", { class: "pager" });
  const heads = DEVICE_COLUMNS.map(([key, name]) => {
    const sort = () => {
      fleet.down = fleet.key === key ? !fleet.down : ["class", "risk", "all", "worst"].includes(key);
      Object.assign(fleet, { key, page: 0 });
      draw();
    };
    return el("th", { scope: "col", "data-key": key, class: key === "risk" || key === "all" ? "number" : null }, el("button", { type: "button", class: "sort", onclick: sort }, name));
  });
  const draw = () => {
    const [, , order] = DEVICE_COLUMNS.find(([key]) => key === fleet.key);
    fleet.rows.sort((a, b) => (fleet.down ? order(b, a) : order(a, b)));
    body.replaceChildren(...fleet.rows.slice(fleet.page * DEVICE_PAGE, (fleet.page + 1) * DEVICE_PAGE).map(deviceRow));
    for (const head of heads) head.setAttribute("aria-sort", head.dataset.key !== fleet.key ? "none" : fleet.down ? "descending" : "ascending");
    pages(pager, fleet.page, Math.ceil(fleet.rows.length / DEVICE_PAGE), (page) => {
      fleet.page = page;
      draw();
    });
  };
  const table = el("table", {}, el("caption", {}, `${fleet.rows.length.toLocaleString("en")} ${fleet.rows.length === 1 ? "device" : "devices"} with a verdict`), el("thead", {}, el("tr", {}, heads)), body);
  place.append(el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Devices" }, table), pager);
  draw();
}
