//! A notice as a mail (RFC 5322): plain text, its headline as subject.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::SystemTime;

use andon_schemas::command::{FlowMatch, Mode};
use andon_schemas::notice::{Lifting, Notice};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox as Written, Message};
use lettre::{Address, error::Error};

use crate::terminal::printable;

/// Most letters of a subject.
const SUBJECT_MAX: usize = 200;
/// Most letters of the name before an address.
const NAME_MAX: usize = 100;
/// What an address may hold beside letters and digits: no quotes, and nothing that means something
/// in the name of a file.
const MARKS: &str = ".!#$%&'*+-=?^_{|}~@";

/// Whom a mail is from or to: an address, and perhaps a name before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox(Written);

impl Mailbox {
    /// `user@domain`.
    pub fn address(&self) -> &str {
        self.0.email.as_ref()
    }

    fn domain(&self) -> &str {
        self.0.email.domain()
    }
}

impl FromStr for Mailbox {
    type Err = String;

    /// `user@domain`, or `Name <user@domain>`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>') {
            None => ("", text),
            Some(rest) => rest.rsplit_once('<').unwrap_or(("", text)),
        };
        let name = name.trim().trim_matches('"').trim();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || MARKS.contains(c);
        let parsed = Some(address)
            .filter(|address| address.chars().all(is_plain))
            .and_then(|address| address.parse::<Address>().ok());
        let Some(email) = parsed else {
            return Err(format!(
                "`{}` is neither `user@domain` nor `Name <user@domain>`",
                printable(text)
            ));
        };
        if name.chars().any(char::is_control) || name.chars().count() > NAME_MAX {
            return Err(format!(
                "the name before `{address}` is longer than {NAME_MAX} letters, or has some that \
                 nobody sees"
            ));
        }
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Ok(Self(Written::new(name, email)))
    }
}

/// What stands on every mail of an outlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letterhead {
    /// Whom it is from.
    pub from: Mailbox,
    /// Everybody whom it is to, whoever gets this copy.
    pub to: Vec<Mailbox>,
}

impl Letterhead {
    /// A mail, ready to be handed over: ASCII, lines that end as RFC 5322 wants them.
    ///
    /// # Errors
    /// If nobody is named whom it is to.
    pub(super) fn write(
        &self,
        id: &str,
        notice: &Notice,
        now: SystemTime,
    ) -> Result<Vec<u8>, Error> {
        let domain = self.from.domain();
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let mut builder = Message::builder()
            .from(self.from.0.clone())
            .date(now)
            .message_id(Some(format!("<{}@{domain}>", word(id))))
            // Mails about one command belong together.
            .references(format!("<{}@{domain}>", word(&notice.command_id)))
            .subject(shortened(&printable(&notice.headline)))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN);
        for one in &self.to {
            builder = builder.to(one.0.clone());
        }
        Ok(builder.body(body(notice))?.formatted())
    }
}

/// The word of an id in a header: letters, digits, dashes, underscores.
fn word(id: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    id.chars().filter(fits).collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= SUBJECT_MAX {
        return text.to_owned();
    }
    text.chars().take(SUBJECT_MAX - 1).chain(['…']).collect()
}

fn body(notice: &Notice) -> String {
    let mut text = format!("{}\r\n\r\n", printable(&notice.text));
    let mode = match notice.mode {
        Mode::Enforce => "it is carried out",
        Mode::Monitor => "it is only said; nothing is blocked",
    };
    let flows: Vec<String> = notice.stays_open.iter().map(flow).collect();
    let open = flows.join(", ");
    let facts = [
        ("Device", notice.device_id.as_str()),
        ("Site", &notice.site),
        ("Action", notice.action.as_str()),
        ("State", notice.state.as_str()),
        ("Release", notice.release.map_or("", Lifting::as_str)),
        ("Mode", mode),
        ("Stays open", &open),
        ("Time", &notice.at.to_string()),
        ("Command", &notice.command_id),
    ];
    for (name, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) {
        // Writing into a text cannot fail.
        let _written = write!(text, "{:<12}{}\r\n", format!("{name}:"), printable(fact)).is_ok();
    }
    text
}

fn flow(flow: &FlowMatch) -> String {
    let mut text = flow.peer.clone();
    let transport = flow.transport.map_or("any", |transport| transport.as_str());
    let port = flow.port.map_or("any".to_owned(), |port| port.to_string());
    let _written = write!(text, " ({transport} port {port})").is_ok();
    text
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::json;

    use super::*;

    /// A notice with a text in every place where one may come from outside.
    pub(in crate::notify) fn notice(odd: &str) -> Notice {
        serde_json::from_value(json!({
            "schema": "andon.notice.v1", "command_id": "c0ffee", "state": "issued",
            "at": "2026-01-05T10:00:00Z", "site": format!("werk-süd{odd}"), "device_id": "press-1",
            "action": "isolate", "mode": "enforce", "waits_for_a_person": false,
            "headline": format!("press-1{odd} is cut off"),
            "text": format!("press-1 is cut off.{odd}\n.\nWhy: it was 70 °C."),
            "stays_open": [{ "peer": format!("safety{odd}"), "transport": "tcp", "port": 502 }],
        }))
        .unwrap()
    }

    fn letterhead() -> Letterhead {
        Letterhead {
            from: "Andon <andon@plant.example>".parse().unwrap(),
            to: vec![
                "Schichtleitung Süd, Halle \"3\" <shift@plant.example>"
                    .parse()
                    .unwrap(),
                "ops@plant.example".parse().unwrap(),
            ],
        }
    }

    fn written(notice: &Notice) -> String {
        let now = UNIX_EPOCH + Duration::from_secs(1_767_607_200);
        let mail = letterhead().write("c0ffee-issued", notice, now).unwrap();
        String::from_utf8(mail).unwrap()
    }

    #[test]
    fn a_mail_is_of_ascii_lines_that_end_as_they_must() {
        let mail = written(&notice(" ü"));
        assert!(mail.is_ascii());
        assert!(mail.split("\r\n").all(|line| !line.contains(['\r', '\n'])));
        assert!(mail.split("\r\n").all(|line| line.len() <= 998));
        for line in [
            "From: Andon <andon@plant.example>",
            "Message-ID: <c0ffee-issued@plant.example>",
            "References: <c0ffee@plant.example>",
            "Date: Mon, 05 Jan 2026 10:00:00 +0000",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(mail.contains(&format!("{line}\r\n")), "{mail}");
        }
    }

    #[test]
    fn no_text_from_outside_makes_a_header() {
        let plain = written(&notice(""));
        let names = |mail: &str| -> Vec<String> {
            let (head, _) = mail.split_once("\r\n\r\n").unwrap();
            let lines = head.split("\r\n").filter(|line| !line.starts_with(' '));
            lines
                .map(|line| line.split(':').next().unwrap().to_owned())
                .collect()
        };
        for odd in [
            "\r\nBcc: x@y.z",
            "\nX: y",
            "\r",
            "\r\n\r\nboo",
            "\u{85}A: b",
        ] {
            let mut odd_one = notice(odd);
            odd_one.command_id = format!("c0ffee{odd}");
            assert_eq!(names(&written(&odd_one)), names(&plain), "{odd:?}");
        }
        assert!(
            written(&notice(&"long ".repeat(2_000)))
                .lines()
                .all(|line| line.len() <= 998)
        );
    }

    #[test]
    fn an_address_is_one_with_or_without_a_name() {
        for (text, address) in [
            ("a@b.example", "a@b.example"),
            ("Süd <a.b+c@b.example>", "a.b+c@b.example"),
            ("\"Halle 3, Süd\" <a@b.example>", "a@b.example"),
        ] {
            assert_eq!(text.parse::<Mailbox>().unwrap().address(), address);
        }
        for text in [
            "",
            "a",
            "a@",
            "@b.example",
            "a@b.example, c@d.example",
            "a@b.example\r\nBcc: c@d.example",
            "X\r\nBcc: c@d.example <a@b.example>",
            "\"a b\"@b.example",
            "a/../b@c.example",
            "ü@b.example",
            "<a@b.example> x",
            "a@b.example>",
        ] {
            assert!(text.parse::<Mailbox>().is_err(), "{text:?}");
        }
    }
}
