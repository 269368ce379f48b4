//! Commands as they come: messages of a broker, and lines of a file.

use andon_respond::device_view;
use andon_schemas::act::NAME_BYTES_MAX;
use andon_schemas::command::{COMMAND_SCHEMA, Command, DeviceCommand, Mode};
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use serde::Deserialize;
use serde_json::Value;

/// Longest command, bytes: a restriction of the most flows is far below.
const COMMAND_BYTES_MAX: usize = 256 << 10;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A command.
    Command(DeviceId, DeviceCommand),
    /// One that is only proposed, asks nothing of enforcement points, or is not given yet.
    Nothing,
    /// What cannot be read.
    Unreadable(Unreadable),
}

/// What cannot be read as a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Why.
    pub reason: String,
    /// Whom it is about, its key and its expiry, as far as it can be answered by these.
    pub named: Option<(DeviceId, String, EventTime)>,
}

impl From<String> for Unreadable {
    fn from(reason: String) -> Self {
        let named = None;
        Self { reason, named }
    }
}

/// The topics on which the commands of a site come.
pub fn filter(site: &str) -> String {
    format!("andon/v1/out/{site}/+/enforcement")
}

/// A message of a broker.
pub fn message(site: &str, topic: &str, payload: &[u8]) -> Heard {
    match read_message(site, topic, payload) {
        Ok((device, command)) => Heard::Command(device, command),
        Err(unreadable) => Heard::Unreadable(unreadable),
    }
}

fn read_message(
    site: &str,
    topic: &str,
    payload: &[u8],
) -> Result<(DeviceId, DeviceCommand), Unreadable> {
    let levels: Vec<&str> = topic.splitn(7, '/').collect();
    let ["andon", "v1", "out", of, device, "enforcement"] = levels[..] else {
        return Err("the topic is not one of commands".to_owned().into());
    };
    if of != site {
        return Err(format!("the topic is of the site `{of}`, not `{site}`").into());
    }
    let device = DeviceId::new(device)?;
    if payload.len() > COMMAND_BYTES_MAX {
        let bytes = payload.len();
        return Err(
            format!("{bytes} bytes are more than the {COMMAND_BYTES_MAX} of a command").into(),
        );
    }
    match serde_json::from_slice(payload) {
        Ok(command) => Ok((device, command)),
        Err(error) => Err(Unreadable {
            reason: error.to_string(),
            named: named(device, payload),
        }),
    }
}

/// By what a command that cannot be carried out can be answered.
fn named(device: DeviceId, payload: &[u8]) -> Option<(DeviceId, String, EventTime)> {
    #[derive(Deserialize)]
    struct Name {
        key: String,
        expiry: EventTime,
    }
    let Name { key, expiry } = serde_json::from_slice(payload).ok()?;
    let is_name = !key.is_empty() && key.len() <= NAME_BYTES_MAX && !key.contains(char::is_control);
    is_name.then_some((device, key, expiry))
}

/// A line of a file: a command of a run (`commands.jsonl`), or what a device reads, with a field
/// `device` beside. What a run only says that it would do counts as if it were done, and what it
/// says later than at this moment does not count.
pub fn line(site: &str, text: &str, at: EventTime) -> Heard {
    match read_line(site, text, at) {
        Ok(Some((device, command))) => Heard::Command(device, command),
        Ok(None) => Heard::Nothing,
        Err(reason) => Heard::Unreadable(reason.into()),
    }
}

fn read_line(
    site: &str,
    text: &str,
    at: EventTime,
) -> Result<Option<(DeviceId, DeviceCommand)>, String> {
    #[derive(Deserialize)]
    struct Beside {
        device: DeviceId,
        #[serde(flatten)]
        command: DeviceCommand,
    }
    if text.len() > COMMAND_BYTES_MAX {
        let bytes = text.len();
        return Err(format!(
            "{bytes} bytes are more than the {COMMAND_BYTES_MAX} of a command"
        ));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.get("schema").is_none() {
        let beside: Beside = serde_json::from_value(value).map_err(|error| error.to_string())?;
        return Ok(Some((beside.device, beside.command)));
    }
    if value["schema"] != COMMAND_SCHEMA {
        return Err(format!("`schema` is not `{COMMAND_SCHEMA}`"));
    }
    let mut command: Command = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if command.site != site {
        let theirs = &command.site;
        return Err(format!("it is of the site `{theirs}`, not `{site}`"));
    }
    command.response.mode = Mode::Enforce;
    let view = device_view(&command).filter(|_| command.issued <= at);
    Ok(view.map(|view| (command.device_id, view)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "andon/v1/out/plant/PLC-1/enforcement";

    fn unreadable(topic: &str, payload: &str) -> Unreadable {
        match message("plant", topic, payload.as_bytes()) {
            Heard::Unreadable(unreadable) => unreadable,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_is_about_the_device_of_its_topic() {
        let payload =
            r#"{"key":"k","action":"isolate","scope":[],"expiry":"2026-01-01T00:00:00Z"}"#;
        let Heard::Command(device, command) = message("plant", TOPIC, payload.as_bytes()) else {
            panic!("it can be read");
        };
        assert_eq!((device.as_str(), &*command.key), ("plc-1", "k"));
    }

    #[test]
    fn what_cannot_be_read_says_why_and_is_named_if_it_can_be() {
        let topics = [
            "andon/v1/out/plant/plc-1",
            "andon/v1/out/plant/plc-1/enforcement/more",
            "andon/v1/in/plant/plc-1/enforcement",
            "andon/v1/out/elsewhere/plc-1/enforcement",
            "andon/v1/out/plant//enforcement",
        ];
        for topic in topics {
            assert_eq!(unreadable(topic, "{}").named, None, "{topic}");
        }
        let bad = r#"{"key":"k","action":"dance","scope":[],"expiry":"2026-01-01T00:00:00Z"}"#;
        let unreadable_one = unreadable(TOPIC, bad);
        assert!(
            unreadable_one.reason.contains("dance"),
            "{unreadable_one:?}"
        );
        let (device, key, _) = unreadable_one.named.unwrap();
        assert_eq!((device.as_str(), &*key), ("plc-1", "k"));
        for payload in [
            "",
            "{",
            "[]",
            r#"{"key":"","expiry":"2026-01-01T00:00:00Z"}"#,
        ] {
            assert_eq!(unreadable(TOPIC, payload).named, None, "{payload}");
        }
        let long = " ".repeat(COMMAND_BYTES_MAX + 1);
        assert!(unreadable(TOPIC, &long).reason.contains("262144"));
    }
}
