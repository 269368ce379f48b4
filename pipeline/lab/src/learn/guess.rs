//! An inventory for traffic whose plant nobody described: every private address is a device (or, where
//! there is none, every address), and its type is a guess from what it mostly serves or, if it serves
//! nothing, from what it mostly uses. Every line says that it is one. A first step for whoever has a
//! capture and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use andon_ingest::files::{CaptureError, Captures, Item};
use andon_schemas::observation::{ConnState, FlowRecord, RecordBody};
use thiserror::Error;

use super::write::protocol;

/// Items taken from the captures at a time.
const CHUNK: usize = 16_384;
/// Most addresses that are looked at: a scan of the internet must not fill the memory.
const ADDRESSES_MAX: usize = 200_000;
/// Most devices that are guessed at.
const DEVICES_MAX: usize = 10_000;

/// Why there is no guess.
#[derive(Debug, Error)]
pub enum GuessError {
    /// A capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// There is no flow in it.
    #[error("the capture holds no flow, so there is no device to guess")]
    Nobody,
    /// More than anybody would look through.
    #[error("the capture holds more than {DEVICES_MAX} addresses of devices; write an inventory")]
    TooMany,
}

/// What one address was seen to do, in flows.
#[derive(Debug, Default)]
struct Habits {
    serves: BTreeMap<String, u64>,
    uses: BTreeMap<String, u64>,
}

/// A guessed inventory as a file.
///
/// # Errors
/// If the captures cannot be read, or hold no private address, or too many.
pub fn inventory(mut captures: Captures) -> Result<String, GuessError> {
    let mut hosts: BTreeMap<IpAddr, Habits> = BTreeMap::new();
    loop {
        let items = captures.next_batch(CHUNK)?;
        if items.is_empty() {
            break;
        }
        for item in items {
            if let Item::Record { record, .. } = item
                && let RecordBody::Flow(flow) = record.body
            {
                note(&mut hosts, &flow);
            }
        }
    }
    if hosts.keys().any(|address| is_private(*address)) {
        hosts.retain(|address, _| is_private(*address));
    }
    if hosts.len() > DEVICES_MAX {
        return Err(GuessError::TooMany);
    }
    if hosts.is_empty() {
        return Err(GuessError::Nobody);
    }
    Ok(written(&hosts))
}

fn note(hosts: &mut BTreeMap<IpAddr, Habits>, flow: &FlowRecord) {
    let service = flow.service.as_ref().map(ToString::to_string);
    let spoken = (flow.transport, flow.responder.port, service);
    let name = protocol(&spoken).name;
    let (from, to) = (flow.originator.address, flow.responder.address);
    let room = hosts.len() < ADDRESSES_MAX;
    if is_device(from) && (room || hosts.contains_key(&from)) {
        let habits = hosts.entry(from).or_default();
        *habits.uses.entry(name.clone()).or_default() += 1;
    }
    // Who never answered may not be there at all: a scan makes no devices.
    let answered = flow.state == ConnState::Answered || flow.responder_bytes.unwrap_or(0) > 0;
    let is_there = is_device(to) && answered;
    if is_there && (room || hosts.contains_key(&to)) {
        let habits = hosts.entry(to).or_default();
        *habits.serves.entry(name).or_default() += 1;
    }
}

/// Whether an address may be that of one host.
fn is_device(address: IpAddr) -> bool {
    match address {
        // The ends of the usual small network speak for all of it.
        IpAddr::V4(v4) => {
            let last = v4.octets()[3];
            !v4.is_multicast() && !v4.is_loopback() && last != 255 && last != 0
        }
        IpAddr::V6(v6) => !v6.is_multicast() && !v6.is_loopback() && !v6.is_unspecified(),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

impl Habits {
    /// `modbus_server`, `dns_client`.
    fn device_type(&self) -> String {
        let most = |habits: &BTreeMap<String, u64>| {
            let most = habits
                .iter()
                .max_by_key(|(name, count)| (**count, std::cmp::Reverse(*name)));
            most.map(|(name, _)| name.clone())
        };
        let (name, role) = match (most(&self.serves), most(&self.uses)) {
            (Some(name), _) => (name, "server"),
            (None, Some(name)) => (name, "client"),
            (None, None) => ("unknown".to_owned(), "host"),
        };
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        };
        format!("{}_{role}", name.chars().map(plain).collect::<String>())
    }

    fn told(&self) -> String {
        let all = |habits: &BTreeMap<String, u64>| {
            let mut most: Vec<_> = habits.iter().collect();
            most.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
            let told: Vec<String> = most
                .iter()
                .take(3)
                .map(|(name, n)| format!("{name} {n}"))
                .collect();
            if told.is_empty() {
                "nothing".to_owned()
            } else {
                told.join(", ")
            }
        };
        format!("serves {}; uses {}", all(&self.serves), all(&self.uses))
    }
}

fn written(hosts: &BTreeMap<IpAddr, Habits>) -> String {
    let networks: BTreeSet<String> = hosts.keys().map(|address| network(*address)).collect();
    let networks: Vec<String> = networks.into_iter().collect();
    let mut lines = vec![
        "# A guess from captured traffic: every device, type and network is one. Put right what you"
            .to_owned(),
        "# know before you rely on it.".to_owned(),
        "site: capture".to_owned(),
        "time_zone: UTC # guessed: hours are told in it".to_owned(),
        "zones: []".to_owned(),
        format!("networks: [{}]", networks.join(", ")),
        "segments:".to_owned(),
        "  - name: capture".to_owned(),
        format!("    networks: [{}]", networks.join(", ")),
        "devices:".to_owned(),
    ];
    for (address, habits) in hosts {
        let id = address.to_string().replace(':', "-");
        lines.push(format!(
            "  - {{ id: host-{id}, type: {}, segment: capture, addresses: \"{address}\", risk_class: \
             YELLOW }} # guessed: {}",
            habits.device_type(),
            habits.told()
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The usual network around an address.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("\"{a:x}:{b:x}:{c:x}:{d:x}::/64\"")
        }
    }
}
