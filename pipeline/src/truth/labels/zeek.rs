//! Connection logs of Zeek with a column `label`, as CTU and IoT-23 publish them. Rows are not
//! attacks: those of one device under one name, with no more than an hour between them, are one.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::IpAddr;
use std::path::Path;

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Inventory;
use andon_schemas::time::{EventTime, Span};
use andon_simulator::Label;
use anyhow::{Context as _, anyhow};

/// Rows further apart than this belong to two attacks.
const GAP: Span = Span::from_secs(3_600);

/// What some labelled logs have between their last fields.
const GLUE: &str = "   ";

/// Labels of what is no attack, in lower case.
const INNOCENT: [&str; 8] = [
    "",
    "-",
    "(empty)",
    "benign",
    "background",
    "normal",
    "unknown",
    "unlabeled",
];

/// Whether a file begins like a log of Zeek.
pub(super) fn looks_like(start: &[u8]) -> bool {
    [&b"#separator"[..], b"#fields", b"#path"]
        .iter()
        .any(|header| start.starts_with(header))
}

/// Who spoke to whom, and under which name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    orig: IpAddr,
    resp: IpAddr,
    name: String,
}

/// Attacks by their ends, each with the times in which it went on.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pairs: BTreeMap<Pair, Vec<(EventTime, EventTime)>>,
}

/// Where the columns stand.
struct Columns {
    ts: usize,
    orig: usize,
    resp: usize,
    duration: Option<usize>,
    label: usize,
    detail: Option<usize>,
    width: usize,
}

impl Columns {
    fn of(names: &[&str]) -> anyhow::Result<Self> {
        let find = |name: &str| names.iter().position(|other| *other == name);
        let need = |name: &str| find(name).ok_or_else(|| anyhow!("it has no column `{name}`"));
        Ok(Self {
            ts: need("ts")?,
            orig: need("id.orig_h")?,
            resp: need("id.resp_h")?,
            duration: find("duration"),
            label: need("label")?,
            detail: find("detailedlabel").or_else(|| find("detailed-label")),
            width: names.len(),
        })
    }
}

/// Reads a log. Rows that cannot be read are counted and told, and name no attack.
///
/// # Errors
/// A file that cannot be read, or that has no labels.
pub(super) fn read(mut log: impl BufRead, path: &Path) -> anyhow::Result<Traffic> {
    let shown = path.display();
    let mut columns = None;
    let mut traffic = Traffic::default();
    let (mut rows, mut unread) = (0_u64, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = log.read_until(b'\n', &mut line);
        if read.with_context(|| format!("cannot read labels `{shown}`"))? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(line.trim_ascii_end());
        if let Some(names) = text.strip_prefix("#fields\t") {
            let names: Vec<&str> = parted(names).collect();
            let bound = Columns::of(&names);
            columns = Some(bound.with_context(|| format!("labels `{shown}` cannot be used"))?);
        } else if !text.starts_with('#') && !text.trim().is_empty() {
            rows += 1;
            let columns = columns.as_ref().ok_or_else(|| {
                anyhow!("labels `{shown}` cannot be used: rows stand before `#fields`")
            })?;
            unread += u64::from(traffic.row(&text, columns).is_none());
        }
    }
    if unread > 0 {
        tracing::warn!("{unread} of {rows} rows of labels `{shown}` cannot be read");
    }
    if traffic.pairs.is_empty() {
        tracing::warn!("labels `{shown}` name no attack in {rows} rows");
    }
    Ok(traffic)
}

/// The fields of a line; some writers glue the last ones together.
fn parted(line: &str) -> impl Iterator<Item = &str> {
    line.split('\t')
        .flat_map(|field| field.split(GLUE))
        .map(str::trim)
}

impl Traffic {
    /// Takes one row; `None` if it cannot be read.
    fn row(&mut self, line: &str, columns: &Columns) -> Option<()> {
        let cells: Vec<&str> = parted(line).collect();
        if cells.len() != columns.width {
            return None;
        }
        let label = cells[columns.label];
        if INNOCENT.contains(&label.to_ascii_lowercase().as_str()) {
            return Some(());
        }
        let detail = columns.detail.map(|at| cells[at]).unwrap_or_default();
        let is_told = !matches!(detail, "" | "-" | "(empty)");
        let pair = Pair {
            orig: cells[columns.orig].parse().ok()?,
            resp: cells[columns.resp].parse().ok()?,
            name: if is_told { detail } else { label }.to_owned(),
        };
        let start = seconds(cells[columns.ts])?;
        let duration = columns.duration.and_then(|at| seconds(cells[at]));
        let end = EventTime::from_micros(start.checked_add(duration.unwrap_or(0))?);
        let start = EventTime::from_micros(start);
        let times = self.pairs.entry(pair).or_default();
        match times.last_mut() {
            // Rows come nearly in order; what lies apart is put together in the end.
            Some(last) if start + GAP >= last.0 && start <= last.1 + GAP => {
                *last = (last.0.min(start), last.1.max(end));
            }
            _ => times.push((start, end)),
        }
        Some(())
    }

    /// The attacks, each on the device of the plant that had to do with it: who opened the
    /// connections, or who was connected to if that one is not the plant's.
    pub(super) fn attacks(&self, inventory: &Inventory) -> Vec<Label> {
        type Key<'a> = (DeviceId, &'a str);
        type Spell = (EventTime, EventTime, IpAddr);
        let mut spells: BTreeMap<Key<'_>, Vec<Spell>> = BTreeMap::new();
        for (pair, times) in &self.pairs {
            let (device, peer) =
                match (inventory.identify(pair.orig), inventory.identify(pair.resp)) {
                    (Some(device), _) => (device, pair.resp),
                    (None, Some(device)) => (device, pair.orig),
                    (None, None) => (DeviceId::of_address(pair.orig), pair.resp),
                };
            let times = times.iter().map(|(start, end)| (*start, *end, peer));
            spells
                .entry((device, pair.name.as_str()))
                .or_default()
                .extend(times);
        }
        let mut attacks = Vec::new();
        for ((device, name), mut times) in spells {
            times.sort_unstable();
            let mut open: Option<Label> = None;
            for (start, end, peer) in times {
                match &mut open {
                    Some(attack) if start <= attack.end + GAP => {
                        attack.end = attack.end.max(end);
                        // Several peers are told by none.
                        attack.peer = attack.peer.filter(|known| *known == peer);
                    }
                    _ => attacks.extend(open.replace(attack(name, &device, (start, end, peer)))),
                }
            }
            attacks.extend(open);
        }
        attacks.sort_by(|a, b| (a.start, &a.device).cmp(&(b.start, &b.device)));
        attacks
    }
}

fn attack(
    name: &str,
    device: &DeviceId,
    (start, end, peer): (EventTime, EventTime, IpAddr),
) -> Label {
    Label {
        attack: name.to_owned(),
        device: device.clone(),
        peer: Some(peer),
        start,
        end,
        expected_grade: Grade::Low,
        at_least: true,
        detectors: Vec::new(),
        later: false,
        note: String::new(),
    }
}

/// Seconds with a fraction, in microseconds; digits below are cut off.
fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(fraction) {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(micros)
}
