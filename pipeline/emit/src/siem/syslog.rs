//! RFC 5424: one message with the verdict as structured data and its sentence as text.

use andon_schemas::verdict::Verdict;

use super::facts::{self, moment};
use super::{Form, PRODUCT, Writer, scale};
use crate::terminal::printable;

/// Most bytes of one value of the structured data.
const VALUE_BYTES_MAX: usize = 256;

/// The verdict as a message of syslog, without a frame.
pub fn syslog(verdict: &Verdict, writer: &Writer) -> String {
    let mut line = header(verdict, writer);
    let mut element = |id: &str, values: &[(&str, &str)]| {
        line.push('[');
        line.push_str(id);
        for (name, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
            line.push(' ');
            line.push_str(name);
            line.push_str("=\"");
            escape(&mut line, value);
            line.push('"');
        }
        line.push(']');
    };
    let enterprise = writer.enterprise.to_string();
    let ends = Ends::of(verdict);
    let texts = Texts::of(verdict);
    let values = [
        ("id", verdict.verdict_id.as_str()),
        ("revision", &texts.revision),
        ("state", verdict.state.as_str()),
        ("grade", verdict.grade.as_str()),
        ("deviceId", verdict.device_id.as_str()),
        ("deviceType", &verdict.device_type),
        ("segment", &verdict.segment),
        ("site", &verdict.site),
        ("detectors", &texts.detectors),
        ("techniques", &texts.techniques),
        ("band", verdict.risk.band.as_str()),
        ("score", &texts.score),
        ("action", verdict.response.action.as_str()),
        ("mode", verdict.response.mode.as_str()),
        ("role", &ends.role),
        ("peer", &ends.peer),
        ("port", &ends.port),
        ("transport", &ends.transport),
    ];
    element(&format!("verdict@{enterprise}"), &values);
    element(
        "origin",
        &[
            ("software", PRODUCT),
            ("swVersion", &writer.version),
            ("enterpriseId", &enterprise),
        ],
    );
    let text = printable(&verdict.sentence);
    let room = writer.message_bytes_max.saturating_sub(line.len() + 1);
    let text = facts::at_most(text.trim(), room);
    if !text.is_empty() {
        line.push(' ');
        line.push_str(&text);
    }
    line
}

/// What stands before the structured data, with the space after it.
fn header(verdict: &Verdict, writer: &Writer) -> String {
    let priority = u16::from(writer.facility) * 8 + u16::from(scale::severity(verdict).syslog);
    let host = word(&writer.host, 255);
    let at = moment(verdict.window.end);
    format!("<{priority}>1 {at} {host} {PRODUCT} - VERDICT ")
}

/// A word of the header: printable ASCII without spaces, or `-`.
fn word(text: &str, bytes: usize) -> String {
    let fits = text.chars().filter(char::is_ascii_graphic).take(bytes);
    let word: String = fits.collect();
    if word.is_empty() {
        "-".to_owned()
    } else {
        word
    }
}

fn escape(line: &mut String, value: &str) {
    let value = printable(value);
    for c in facts::at_most(&value, VALUE_BYTES_MAX).chars() {
        if matches!(c, '"' | '\\' | ']') {
            line.push('\\');
        }
        line.push(c);
    }
}

/// What has to be put together first.
struct Texts {
    revision: String,
    detectors: String,
    techniques: String,
    score: String,
}

impl Texts {
    fn of(verdict: &Verdict) -> Self {
        Self {
            revision: verdict.revision.to_string(),
            detectors: facts::detectors(verdict).join(","),
            techniques: facts::techniques(verdict).join(","),
            score: verdict
                .risk
                .score
                .map_or_else(String::new, |s| s.to_string()),
        }
    }
}

/// The connection that the verdict is about first; empty if it is about none.
#[derive(Default)]
struct Ends {
    role: String,
    peer: String,
    port: String,
    transport: String,
}

impl Ends {
    fn of(verdict: &Verdict) -> Self {
        let Some(peer) = facts::lead(verdict).and_then(facts::peer) else {
            return Self::default();
        };
        Self {
            role: peer.role.to_string(),
            transport: peer.transport.map_or("", |t| t.name).to_owned(),
            port: peer.port.map_or_else(String::new, |port| port.to_string()),
            peer: match peer.address {
                Some(address) => address.to_string(),
                None => peer.name.unwrap_or_default().into_owned(),
            },
        }
    }
}

/// The verdict as a message of syslog whose text is of a form.
pub fn carried(form: Form, verdict: &Verdict, writer: &Writer) -> String {
    if form == Form::Syslog {
        return syslog(verdict, writer);
    }
    let header = header(verdict, writer);
    format!("{header}- {}", form.line(verdict, writer))
}
