//! Captures of packets, cut in two and looked into for who is who.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::{AS_OF, Run, plant, text};

/// Ports behind which a controller listens: S7, Modbus, DNP3, IEC 104, EtherNet/IP, `BACnet`.
const CONTROLLER_PORTS: [&str; 6] = ["102", "502", "20000", "2404", "44818", "47808"];

/// The packets of a capture as two captures of half as many each. A capture of flows could not be
/// cut inside the one connection that polling often is.
pub(crate) fn halves(capture: &Path, folder: &Path) -> [PathBuf; 2] {
    let bytes = fs::read(capture).unwrap();
    let is_ng = bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut at = if is_ng { 0 } else { 24 };
    let mut pieces = Vec::new();
    while at + 12 <= bytes.len() {
        let (packet, length) = if is_ng {
            (matches!(word(at), 2 | 3 | 6), word(at + 4) as usize)
        } else {
            (true, 16 + word(at + 8) as usize)
        };
        pieces.push((packet, &bytes[at..(at + length).min(bytes.len())]));
        at += length;
    }
    let half = pieces.iter().filter(|(packet, _)| *packet).count() / 2;
    let mut halves = [const { Vec::new() }; 2];
    if !is_ng {
        halves.fill(bytes[..24].to_vec());
    }
    let mut seen = 0;
    for (packet, piece) in pieces {
        if packet {
            halves[usize::from(seen >= half)].extend_from_slice(piece);
            seen += 1;
        } else {
            for half in &mut halves {
                half.extend_from_slice(piece);
            }
        }
    }
    let extension = capture.extension().unwrap().to_string_lossy();
    let paths = ["first", "second"].map(|name| folder.join(format!("{name}.{extension}")));
    for (path, half) in paths.iter().zip(halves) {
        fs::write(path, half).unwrap();
    }
    paths
}

/// Who is a controller in these captures, and who talks to one.
pub(crate) fn roles(captures: &[PathBuf]) -> BTreeMap<&'static str, BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let flows = text(&folder.path().join("flows.ndjson"));
    let captures: Vec<_> = captures.iter().map(|path| text(path)).collect();
    let mut args = vec!["capture", "convert", "--as-of", AS_OF, "--out", &flows];
    args.extend(captures.iter().map(String::as_str));
    plant::run(&args);
    let mut roles: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for record in plant::lines(&fs::read(&flows).unwrap()) {
        let end = |name: &str| {
            let end = record[name].as_str()?.rsplit_once(':')?;
            Some((end.0.to_owned(), end.1.to_owned()))
        };
        let (Some(from), Some(to)) = (end("orig"), end("resp")) else {
            continue;
        };
        let listens = |port: &str| CONTROLLER_PORTS.contains(&port);
        for (address, port) in [&from, &to] {
            let kind = if listens(port) {
                "controller"
            } else {
                "station"
            };
            if !address.contains(':') {
                roles.entry(kind).or_default().insert(address.clone());
            }
        }
    }
    let controllers = roles.get("controller").cloned().unwrap_or_default();
    if let Some(stations) = roles.get_mut("station") {
        stations.retain(|address| !controllers.contains(address));
    }
    roles.retain(|_, addresses| !addresses.is_empty());
    roles
}

/// A run over whoever is in these captures.
pub(crate) fn run_over(captures: &[PathBuf]) -> Run {
    Run::over(&roles(captures), "UTC")
}
