//! The segments themselves: names and networks. Their rules come later, in `rules`.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Segment;
use super::contract::SEGMENTS;
use crate::problems::{Refusal, quoted, suggestion};
use crate::profile::network;
use crate::yaml::{Node, Report};

/// More segments than any plant has; keeps the comparison of all pairs short.
const SEGMENTS_MAX: usize = 2_000;

/// Names and networks of the segments. A segment whose name cannot be read is left out.
pub(crate) fn read(node: Option<Node<'_>>, report: &mut Report) -> Vec<Segment> {
    let items = node.map(Node::items).unwrap_or_default();
    if let Some(beyond) = items.get(SEGMENTS_MAX) {
        let cause = format!("more than {SEGMENTS_MAX} segments");
        report.value(*beyond, Refusal::new(cause));
    }
    let mut segments: Vec<Segment> = Vec::new();
    let mut seen: BTreeMap<IpNet, String> = BTreeMap::new();
    for item in items.into_iter().take(SEGMENTS_MAX) {
        if !report.fields(item, &SEGMENTS) {
            continue;
        }
        let Some(name) = report.read_if(item.get("name"), |text| Ok(text.to_owned())) else {
            continue;
        };
        if segments.iter().any(|segment| segment.name == name) {
            let cause = format!("segment {} is written twice", quoted(&name));
            report.value(
                item,
                Refusal::new(cause).hint("Rename or remove one of them."),
            );
            continue;
        }
        let networks = report.read_each(item.get("networks"), network);
        for net in &networks {
            overlap(*net, &seen, item, report);
            seen.insert(*net, name.clone());
        }
        segments.push(Segment {
            name,
            networks,
            allowed: Vec::new(),
            denied: Vec::new(),
        });
    }
    segments
}

/// Two networks overlap exactly if one holds the other.
fn overlap(net: IpNet, seen: &BTreeMap<IpNet, String>, item: Node<'_>, report: &mut Report) {
    let other = seen
        .iter()
        .find(|(other, _)| other.contains(&net) || net.contains(*other));
    if let Some((other, name)) = other {
        let cause = format!("network `{net}` overlaps `{other}` of segment `{name}`");
        let hint = "An address lies in one segment; make the networks disjoint.";
        report.value(
            item.get("networks").unwrap_or(item),
            Refusal::new(cause).hint(hint),
        );
    }
}

/// Written `networks:` must hold those of every segment.
pub(crate) fn must_lie_in(networks: &[IpNet], top: Node<'_>, report: &mut Report) {
    let items = top.get("segments").map(Node::items).unwrap_or_default();
    for node in items
        .iter()
        .filter_map(|item| item.get("networks"))
        .flat_map(Node::items)
    {
        let Some(Ok(net)) = node.scalar().map(network) else {
            continue;
        };
        if !networks.iter().any(|own| own.contains(&net)) {
            let cause = format!("network `{net}` is not among the plant's own");
            report.value(
                node,
                Refusal::new(cause).hint("Add it to `networks:` at the top."),
            );
        }
    }
}

/// The index of a segment by its name.
pub(crate) fn index(name: &str, segments: &[Segment]) -> Result<usize, Refusal> {
    let found = segments.iter().position(|segment| segment.name == name);
    found.ok_or_else(|| {
        let mut refusal = Refusal::new(format!("no segment has the name {}", quoted(name)));
        refusal.hint = suggestion(name, segments.iter().map(|segment| segment.name.as_str()));
        refusal
    })
}
