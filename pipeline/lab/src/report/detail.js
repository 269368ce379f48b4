// One verdict unfolded: what was found, how it went, what follows, what it was measured against.

function pairs(entries) {
  const said = entries.filter(([, value]) => value !== null && value !== undefined && value !== "" && value.length !== 0);
  return el("dl", { class: "facts" }, said.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function copied(button, text) {
  const done = () => {
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  // A page from a file may have no clipboard: then the command is selected, to be copied by hand.
  const select = () => getSelection().selectAllChildren(button.previousSibling);
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, select);
  else select();
}

function commandLine(text) {
  return el("div", { class: "command" }, el("code", {}, text), el("button", { type: "button", onclick: (event) => copied(event.currentTarget, text) }, "Copy"));
}

function valuesTable(finding) {
  const rows = [
    ...finding.seen.map(([name, value]) => ["seen", name, value]),
    ...finding.expected.map(([name, value]) => ["expected", name, value]),
  ];
  return el(
    "table",
    {},
    el("tbody", {}, rows.map(([kind, name, value]) => el("tr", {}, el("td", { class: "sub" }, kind), el("th", { scope: "row" }, name), el("td", {}, value)))),
  );
}

function findingBlock(finding, width) {
  const marks = [
    finding.plane,
    finding.rule ? "rule" : "by evidence",
    finding.active ? "still held at the end" : "over",
    finding.count > 1 ? `seen ${finding.count.toLocaleString("en")} times` : null,
    finding.proven ? null : "sender not proven",
    finding.counts_as !== null && finding.counts_as > finding.grade ? `counts as ${GRADES[finding.counts_as]}: two planes agree` : null,
  ].filter(Boolean);
  const values = el(
    "details",
    {},
    el("summary", {}, "Everything that was seen and expected"),
    valuesTable(finding),
    pairs([
      ["From", `${finding.from} to ${finding.to}`],
      ["Risk score", String(finding.score)],
      ["p-value", finding.p === null ? null : finding.p.toPrecision(3)],
      ["Rests on", finding.confidence],
      ["Rows", finding.source.join(", ")],
    ]),
  );
  return el(
    "div",
    { class: "finding" },
    el("p", { class: "title" }, gradeMark(finding.grade), el("code", {}, finding.detector), el("span", { class: "sub" }, marks.join(" · "))),
    el("p", {}, finding.say),
    finding.gauges.map((gauge) => gaugeChart(gauge, width)),
    finding.gauges.length === 0 && finding.expected.length > 0 ? el("p", {}, "Expected: ", finding.expected.map(([name, value]) => `${name} ${value}`).join("; ")) : null,
    el("p", { class: "sub" }, `Clears: ${finding.clears}`),
    el("p", { class: "sub" }, finding.techniques.map(([id, name]) => el("span", { class: "tag" }, name ? `${id} ${name}` : id))),
    values,
  );
}

// The finding whose measure tells most about how the episode went: the worst that has one.
function course(verdict, width) {
  const steps = verdict.steps;
  if (steps.length < 2) return null;
  const lead = verdict.findings.find((finding) => finding.gauges.length > 0 && steps.some((step) => step.measured.some(([name]) => name === finding.detector)));
  const measured = (step) => {
    const found = lead && step.measured.find(([name]) => name === lead.detector);
    return found ? found[1] : null;
  };
  const chart = lead
    ? stepChart(steps, steps.map(measured), lead.gauges[0], `${lead.detector}: ${lead.gauges[0].label}`, width)
    : stepChart(steps, steps.map((step) => step.score), RISK, "risk score", width);
  const head = ["Revision", "Plant time", "State", "Grade", "Risk", "Response"];
  const rows = steps.map((step) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, String(step.n)),
      el("td", {}, step.at),
      el("td", {}, step.state),
      el("td", {}, gradeMark(step.grade)),
      el("td", {}, step.score === null ? "unknown" : String(step.score)),
      el("td", {}, step.action),
    ),
  );
  const missing = verdict.revision - steps.length;
  return [
    el("h3", {}, "How it went"),
    chart,
    el("details", {}, el("summary", { class: "sub" }, `${steps.length} revisions`), el("table", { class: "steps" }, el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rows))),
    missing > 0 ? el("p", { class: "note" }, `${missing} revisions in between are in verdicts.jsonl.`) : null,
  ];
}

function responseFacts(response) {
  const would = response.mode === "monitor" ? "would " : "";
  return [
    ["Response", `${would}${response.action}${response.approval === "required" ? ", once a person agrees" : ""}`],
    ["Because", response.note],
    ["Only", response.scope.join(", ")],
    ["Stays open", response.exceptions.join(", ")],
    ["Lapses", response.expires],
    ["Told", response.notify.join(", ")],
  ];
}

function causeText(verdict) {
  if (verdict.cause === null) return null;
  if (verdict.cause === "nothing") return "nothing: a false alarm";
  if (verdict.cause === "ladder") return "the volume ladder";
  return `the attack ${DATA.attacks[verdict.cause]}`;
}

function sheet(verdict, room) {
  const wide = room > 720;
  // A short list of findings leaves room below it for how it went.
  const below = verdict.findings.length < 3;
  const width = Math.round(Math.max(260, Math.min(600, wide ? room * 0.55 : room - 40)));
  const side = Math.round(Math.max(260, Math.min(420, wide ? room * 0.36 : room - 40)));
  const device = DATA.devices[verdict.dev];
  const [score, band] = verdict.risk;
  const profile = verdict.profile === null ? null : DATA.profiles[verdict.profile];
  const command = `andon explain ${verdict.id} --data ${DATA.folder}`;
  return el(
    "div",
    { class: `sheet ${gradeClass(verdict.grade)}` },
    el(
      "div",
      { class: "columns" },
      el("div", {}, el("h3", {}, verdict.findings.length === 1 ? "What was found" : `What was found, ${verdict.findings.length} findings`), verdict.findings.map((finding) => findingBlock(finding, width)), below ? course(verdict, width) : null),
      el(
        "div",
        {},
        el("h3", {}, "What follows"),
        pairs(responseFacts(verdict.response)),
        below ? null : course(verdict, side),
        el("h3", {}, "What it is about"),
        pairs([
          ["Device", device.id],
          ["Type", device.type || "not in the inventory"],
          ["Segment", device.segment],
          ["Risk class", device.class ? device.class + (device.safety ? ", safety-critical" : "") : null],
          ["Opened", verdict.at],
          ["Last finding", verdict.to],
          ["State", verdict.state === "cleared" ? "cleared" : `${verdict.state}, open at the end`],
          ["Device's risk", score === null ? band : `${score} of 100, trust ${100 - score}, band ${band}`],
          ["Rests on", verdict.confidence],
          ["Profile", profile ? `${profile[0]}, version ${profile[1]}` : "none"],
          ["Its hash", profile ? el("code", {}, profile[2]) : null],
          ["Caused by", causeText(verdict)],
          ["Marked", verdict.cut_short ? "the end of the input closed a window early" : null],
        ]),
        el("h3", {}, "Compute it again"),
        commandLine(command),
      ),
    ),
  );
}
