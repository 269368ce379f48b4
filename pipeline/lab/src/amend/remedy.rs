//! From a finding to the change of the profile that would have kept it from occurring.

use std::net::IpAddr;

use andon_schemas::finding::Finding;
use andon_schemas::observation::{Role, Transport};
use andon_schemas::profile::{Profile, ProtocolMatch};
use andon_schemas::protocol::{REGISTRY, by_name};
use andon_schemas::quantity::write_day;
use andon_schemas::time::{EventTime, PlantClock};
use serde_json::Value;

use super::change::{Change, Ranged, port_text, span_text, up};

/// What to do about a finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Remedy {
    /// These changes, all of them.
    Edit(Vec<Change>),
    /// None: why.
    None(String),
}

/// A stretch of new active hours begins and ends at a quarter of an hour.
const QUARTER_MIN: u16 = 15;

/// Longest name of a version, a protocol or a command that is proposed.
const NAME_CHARS_MAX: usize = 64;

/// What would have kept a finding from occurring.
pub fn remedy(finding: &Finding, profile: &Profile, clock: &PlantClock) -> Remedy {
    let seen = Seen(&finding.observed);
    let found = match finding.detector.as_str() {
        "unknown_destination" => peer(&seen, finding.role),
        "beaconing" => peer(&seen, Some(Role::Originator)),
        "unknown_protocol" => protocol(&seen, profile),
        "unknown_command" => commands(&seen),
        "off_hours" => off_hours(&seen, profile, clock),
        "firmware_mismatch" => firmware(&seen, finding, clock),
        "traffic_volume" if finding.rule => volume(&seen, profile),
        "scan" => scan(&seen, profile),
        "current_draw" => current(&seen, profile, finding, clock),
        "traffic_volume" => range(Ranged::Volume, seen.number("bytes"), profile),
        "upload_ratio" => range(Ranged::Upload, seen.number("upload_share"), profile),
        "connection_rate" => range(Ranged::Connections, seen.number("connections"), profile),
        "cadence" if seen.text("deviation") == Some("size") => {
            range(Ranged::Message, seen.number("message_bytes"), profile)
        }
        other => Err(never(other).to_owned()),
    };
    match found {
        Ok(changes) => Remedy::Edit(changes),
        Err(why) => Remedy::None(why),
    }
}

type Found = Result<Vec<Change>, String>;

/// Why a profile is not the place.
fn never(detector: &str) -> &'static str {
    match detector {
        "identity_mismatch" => {
            "somebody spoke for a device that is not theirs; which gateway serves it stands in the \
             inventory, and no profile may excuse it"
        }
        "known_bad_destination" => {
            "it talked to somebody who is known to be hostile; correct the list of indicators if it \
             is wrong"
        }
        "forbidden_flow" => {
            "the policy of its segment denies this flow; that stands in the inventory, `segments:`"
        }
        "unknown_device" => "the device is not in the inventory: write it there",
        "device_flood" => "devices that nobody listed: write them into the inventory",
        "spindle_speed" => {
            "the limit of a spindle is a safety limit, and speed and current that contradict each \
             other are a matter of the machine; an engineer has to sign either"
        }
        "frozen_sensor" => "a sensor that rests is a matter of the sensor",
        "silence" => {
            "declare maintenance, or write a longer `silence:` yourself: a longer patience hides every outage"
        }
        "slow_drift" => {
            "its level has moved: sign a new `version:` of the profile if that is meant"
        }
        "destination_mix" | "protocol_mix" => {
            "shares cannot be read off one deviation: measure them again with `andon learn`"
        }
        "cadence" => {
            "its rhythm cannot be read off one deviation: measure it again with `andon learn`"
        }
        _ => "nothing in a profile is known to excuse this detector",
    }
}

/// What a finding says was seen. It may come from a file that anybody wrote.
struct Seen<'a>(&'a Value);

impl<'a> Seen<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key)?.as_str()
    }

    fn number(&self, key: &str) -> Option<f64> {
        let number = self.0.get(key)?.as_f64()?;
        (number.is_finite() && number >= 0.0).then_some(number)
    }

    fn address(&self) -> Result<IpAddr, String> {
        let peer = self.text("peer").and_then(|peer| peer.parse().ok());
        peer.ok_or_else(|| "the finding names no address".to_owned())
    }

    fn role(&self) -> Option<Role> {
        serde_json::from_value(self.0.get("role")?.clone()).ok()
    }
}

/// A name that can be written into a profile as it stands.
fn is_plain(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(fits)
}

fn peer(seen: &Seen, role: Option<Role>) -> Found {
    let address = seen.address()?;
    let role = seen.role().or(role);
    let role = role.ok_or("the finding does not say which end of the flow the device was")?;
    Ok(vec![Change::Peer { role, address }])
}

fn protocol(seen: &Seen, profile: &Profile) -> Found {
    let transport = seen.0.get("transport").cloned().unwrap_or_default();
    let transport: Transport =
        serde_json::from_value(transport).map_err(|_| "the finding names no transport")?;
    let port = seen.number("port").unwrap_or(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded before the conversion"
    )]
    let port = match transport {
        Transport::Tcp | Transport::Udp if (1.0..65_536.0).contains(&port) => Some(port as u16),
        Transport::Icmp => None,
        _ => return Err("a profile cannot name this transport and port".to_owned()),
    };
    let place = ProtocolMatch { transport, port };
    let text = port_text(&place);
    if let Some(here) = profile
        .protocols
        .iter()
        .find(|p| p.matches.contains(&place))
    {
        return Err(format!(
            "its profile has {} on {text}, and something else was spoken there: the sensor is \
             mistaken, or it hides",
            here.name
        ));
    }
    let names = seen.text("service").unwrap_or_default().split(',');
    let service = names.map(str::trim).find(|name| !name.is_empty());
    if service.is_some_and(|service| !is_plain(service)) {
        return Err(
            "the sensor's name of the protocol cannot be written into a profile".to_owned(),
        );
    }
    let known = REGISTRY.iter().find(|known| {
        known.ports.contains(&(transport, port))
            && service.is_none_or(|service| known.services.contains(&service))
    });
    let services = match (known, service) {
        (Some(known), _) => known
            .services
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        (None, Some(service)) => vec![service.to_lowercase()],
        (None, None) => Vec::new(),
    };
    let own = text.replace('/', "-");
    let name = known.map_or_else(|| own.clone(), |known| known.name.to_owned());
    let is_taken = |name: &str| profile.protocols.iter().any(|p| p.name == name);
    let name = if is_taken(&name) { own } else { name };
    if is_taken(&name)
        || by_name(&name).is_some_and(|found| known.is_none_or(|k| k.name != found.name))
    {
        return Err(format!(
            "the profile has another protocol by the name {name}"
        ));
    }
    Ok(vec![Change::Protocol {
        name,
        port: text,
        services,
    }])
}

fn commands(seen: &Seen) -> Found {
    let peer = seen.address()?;
    let role = seen
        .role()
        .ok_or("the finding does not say who gave the command")?;
    let listed = seen.0.get("commands").and_then(Value::as_array);
    let names = listed.into_iter().flatten();
    let names: Vec<&str> = names.filter_map(|one| one["command"].as_str()).collect();
    if seen.number("others").is_some_and(|others| others > 0.0) {
        return Err("it was told more that is not listed than the finding keeps".to_owned());
    }
    let one = |name: &str| {
        let known = andon_schemas::ot_command::by_name(name);
        let known = known.ok_or_else(|| format!("no profile can name the command {name:?}"))?;
        Ok(Change::Command {
            role,
            name: known.name.to_owned(),
            peer,
        })
    };
    let changes: Vec<Change> = names.into_iter().map(one).collect::<Result<_, String>>()?;
    if changes.is_empty() {
        return Err("the finding names no command".to_owned());
    }
    Ok(changes)
}

fn off_hours(seen: &Seen, profile: &Profile, clock: &PlantClock) -> Found {
    if seen.0["holiday"] == true {
        return Err(
            "that day is a holiday of the plant; holidays stand in the inventory".to_owned(),
        );
    }
    let start = seen.text("start").and_then(|at| EventTime::parse(at).ok());
    hours(
        start.ok_or("the finding does not say when")?,
        profile,
        clock,
    )
}

fn hours(at: EventTime, profile: &Profile, clock: &PlantClock) -> Found {
    let local = clock.local(at);
    let Some(hours) = &profile.hours else {
        return Err("the profile has no hours".to_owned());
    };
    if hours.hold(local.weekday, local.minute) {
        return Err("the hours of the profile hold that moment: it was a holiday".to_owned());
    }
    let from = local.minute / QUARTER_MIN * QUARTER_MIN;
    Ok(vec![Change::Hours {
        span: span_text(local.weekday, from, from + QUARTER_MIN),
    }])
}

fn firmware(seen: &Seen, finding: &Finding, clock: &PlantClock) -> Found {
    match seen.text("problem") {
        Some("unknown_version") => {}
        Some("wrong_digest") => {
            return Err(
                "a foreign image under a known version is what an implant looks like: compare it \
                 with the vendor's digest and write that yourself"
                    .to_owned(),
            );
        }
        Some("tpm_failed") => {
            return Err(
                "the security chip did not vouch for it; no profile may excuse that".to_owned(),
            );
        }
        _ => {
            return Err("a step back is declared as maintenance that names the version".to_owned());
        }
    }
    let version = seen.text("version").filter(|version| is_plain(version));
    let version = version.ok_or("the version cannot be written into a profile")?;
    let digest = seen.text("sha256").map(str::to_lowercase);
    let digest = digest.map(|digest| digest.trim_start_matches("sha256:").to_owned());
    let is_digest = |d: &String| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit());
    if digest.as_ref().is_some_and(|digest| !is_digest(digest)) {
        return Err("what it says is its digest is none".to_owned());
    }
    Ok(vec![Change::Firmware {
        version: version.to_owned(),
        digest,
        released: write_day(clock.local(finding.window.start).day),
    }])
}

fn volume(seen: &Seen, profile: &Profile) -> Found {
    let bytes = seen.number("bytes").ok_or("the finding names no bytes")?;
    if profile.volume.is_none() {
        return Err("the profile has no volume".to_owned());
    }
    Ok(vec![Change::VolumeLimit { bytes: up(bytes) }])
}

fn scan(seen: &Seen, profile: &Profile) -> Found {
    let limits = &profile.scan;
    let all = [
        ("hosts", "hosts", limits.hosts),
        ("ports", "host_ports", limits.ports),
        ("failed", "failed", limits.failed),
    ];
    let above = all.into_iter().filter_map(|(limit, key, is)| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded before the conversion"
        )]
        let count = seen.number(key)?.min(1e6) as u32;
        (count > is).then_some(Change::Scan { limit, count })
    });
    let above: Vec<Change> = above.collect();
    if above.is_empty() {
        return Err("the limits of the profile hold these counts already".to_owned());
    }
    Ok(above)
}

fn current(seen: &Seen, profile: &Profile, finding: &Finding, clock: &PlantClock) -> Found {
    let amperes = seen
        .number("current_a")
        .ok_or("the finding names no current")?;
    if finding.rule && finding.expected.get("limit_a").is_some() {
        return Err(
            "the limit of its current is a safety limit; an engineer has to sign another"
                .to_owned(),
        );
    }
    if finding.rule {
        return hours(finding.window.end, profile, clock);
    }
    if seen.text("state") != Some("over") {
        return Err("idle and working current are told apart by the gap between them".to_owned());
    }
    let limit = profile.current.as_ref().and_then(|current| current.limit);
    if limit.is_some_and(|limit| amperes > limit) {
        return Err("its working current would exceed the safety limit of its current".to_owned());
    }
    range(Ranged::ActiveCurrent, Some(amperes), profile)
}

fn range(which: Ranged, value: Option<f64>, profile: &Profile) -> Found {
    let value = value.ok_or("the finding names no value")?;
    if !profile.learned.is_empty() {
        return Err("it is weighed by what was learned: learn anew".to_owned());
    }
    let mut profile = profile.clone();
    let key = which.key().0;
    let Some(written) = which.of(&mut profile) else {
        return Err(format!("the profile has no `{key}`"));
    };
    let value = match which {
        Ranged::Volume | Ranged::Message if value > written.hi => up(value),
        Ranged::Volume | Ranged::Message | Ranged::Connections => value.floor(),
        Ranged::Upload if value > written.hi => (value * 1000.0).ceil() / 1000.0,
        Ranged::Upload => (value * 1000.0).floor() / 1000.0,
        Ranged::ActiveCurrent => (value * 100.0).ceil() / 100.0,
    };
    if (written.lo..=written.hi).contains(&value) {
        return Err(format!(
            "its hours lie within `{key}`; they lean to one side of it. Learn a level of its own"
        ));
    }
    let is_share = which == Ranged::Upload;
    if value <= 0.0 || is_share && value >= 1.0 {
        return Err(format!("no `{key}` can reach that"));
    }
    Ok(vec![Change::Widen {
        range: which,
        value,
    }])
}
