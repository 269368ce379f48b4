//! The forms, held against readers that are written here from their specifications. Readers that
//! others wrote are asked in `judged.rs`.

pub(crate) mod judged;

use std::collections::BTreeMap;

use andon_schemas::identity::is_hidden;
use proptest::prelude::*;
use serde_json::Value;

use super::sample::{ODD, any_verdict, contact, finding, text, verdict};
use super::*;
use crate::terminal::printable;

fn writer() -> Writer {
    Writer::new("0.1.0", "analytics-1")
}

/// A line of CEF: the fields of its header and its pairs, unescaped.
fn read_cef(line: &str) -> Option<(Vec<String>, BTreeMap<String, String>)> {
    let mut header = vec![String::new()];
    let mut letters = line.strip_prefix("CEF:0|")?.chars();
    while header.len() < 7 {
        match letters.next()? {
            '\\' => header
                .last_mut()?
                .push(letters.next().filter(|c| "\\|".contains(*c))?),
            '|' => header.push(String::new()),
            c => header.last_mut()?.push(c),
        }
    }
    header.pop();
    // A key is the word before an `=` that is not escaped.
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut held = String::new();
    while let Some(c) = letters.next() {
        match c {
            '\\' => held.push(letters.next().filter(|c| "\\=".contains(*c))?),
            '=' => {
                let at = held.rfind(' ').map_or(0, |at| at + 1);
                let key = held.split_off(at);
                if let Some((_, value)) = pairs.last_mut() {
                    held.pop();
                    value.push_str(&held);
                }
                held.clear();
                pairs.push((key, String::new()));
            }
            c => held.push(c),
        }
    }
    pairs.last_mut()?.1.push_str(&held);
    let count = pairs.len();
    let pairs: BTreeMap<_, _> = pairs.into_iter().collect();
    (pairs.len() == count).then_some((header, pairs))
}

/// A message of syslog: its header, its structured data, its text.
type Message = (Vec<String>, BTreeMap<String, String>, String);

fn read_syslog(line: &str) -> Option<Message> {
    let mut rest = line;
    let mut header = Vec::new();
    for _ in 0..6 {
        let (word, after) = rest.split_once(' ')?;
        header.push(word.to_owned());
        rest = after;
    }
    let mut data = BTreeMap::new();
    let mut letters = rest.chars().peekable();
    while letters.next_if_eq(&'[').is_some() {
        let name = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut name = String::new();
            while let Some(c) = letters.next_if(|c| !" =]\"".contains(*c)) {
                name.push(c);
            }
            name
        };
        let id = name(&mut letters);
        while letters.next_if_eq(&' ').is_some() {
            let key = name(&mut letters);
            let opened = letters.next()? == '=' && letters.next()? == '"';
            let mut value = String::new();
            loop {
                match letters.next()? {
                    '"' => break,
                    '\\' => value.push(letters.next().filter(|c| "\"\\]".contains(*c))?),
                    ']' => return None,
                    c => value.push(c),
                }
            }
            let fresh = data.insert(format!("{id} {key}"), value).is_none();
            if !opened || !fresh || key.is_empty() || key.len() > 32 {
                return None;
            }
        }
        letters.next_if_eq(&']')?;
    }
    let text: String = letters.collect();
    Some((
        header,
        data,
        text.strip_prefix(' ').unwrap_or(&text).to_owned(),
    ))
}

proptest! {
    #[test]
    fn every_form_is_one_line_and_says_whose_it_is(verdict in any_verdict()) {
        for form in Form::ALL {
            let line = form.line(&verdict, &writer());
            prop_assert!(!line.contains(['\n', '\r']), "{line:?}");
            prop_assert!(line.contains(&verdict.verdict_id));
            if !form.is_json() {
                prop_assert!(!line.contains(is_hidden), "{line:?}");
            }
            let carried = carried(*form, &verdict, &writer());
            prop_assert!(read_syslog(&carried).is_some(), "{carried:?}");
        }
    }

    #[test]
    fn cef_reads_back_as_it_was_written(verdict in any_verdict()) {
        let line = cef(&verdict, &writer());
        let (header, pairs) = read_cef(&line).unwrap_or_default();
        prop_assert_eq!(header.len(), 6, "{}", line);
        let shown = printable(&verdict.sentence);
        let expected = facts::at_most(&shown, 1_023);
        let told = pairs.get("msg").map_or("", String::as_str);
        prop_assert_eq!(told, expected.trim());
        prop_assert_eq!(&header[3], &*facts::lead_detector(&verdict));
        prop_assert_eq!(&pairs["externalId"], &verdict.verdict_id);
        prop_assert_eq!(&pairs["cn1"], &verdict.revision.to_string());
        prop_assert!(header[5].parse::<u8>().is_ok_and(|severity| severity <= 10));
        let [rt, end] = ["rt", "end"].map(|key| pairs[key].parse::<i64>().unwrap_or(-1));
        prop_assert!(rt == end && rt >= 0);
    }

    #[test]
    fn syslog_reads_back_as_it_was_written(verdict in any_verdict()) {
        let line = syslog(&verdict, &writer());
        let message = read_syslog(&line);
        prop_assert!(message.is_some(), "{line:?}");
        let (header, data, text) = message.unwrap_or_default();
        let severity = scale::severity(&verdict).syslog;
        prop_assert_eq!(&header[0], &format!("<{}>1", 16 * 8 + severity));
        prop_assert!(header[1].len() <= 27 && header[1].ends_with('Z'), "{}", header[1]);
        prop_assert_eq!(&data["verdict@32473 id"], &verdict.verdict_id);
        let told = data.get("verdict@32473 segment").map_or("", String::as_str);
        let shown = printable(&verdict.segment);
        prop_assert_eq!(told, &*facts::at_most(&shown, 256));
        let shown = printable(&verdict.sentence);
        let shown = shown.trim();
        let is_cut = text.strip_suffix('…').is_some_and(|kept| shown.starts_with(kept));
        prop_assert!(text == shown || is_cut || text.is_empty(), "{text:?}");
        prop_assert!(line.len() <= Writer::STREAM_BYTES_MAX);
    }

    #[test]
    fn json_forms_agree_with_the_verdict(verdict in any_verdict()) {
        let told: Value = serde_json::from_str(&Form::Ocsf.line(&verdict, &writer())).unwrap();
        let (class, activity) = (&told["class_uid"], told["activity_id"].as_u64().unwrap());
        prop_assert_eq!(&told["type_uid"], class.as_u64().unwrap() * 100 + activity);
        prop_assert_eq!(&told["finding_info"]["uid"], &verdict.verdict_id);
        prop_assert_eq!(&told["unmapped"]["revision"], verdict.revision);
        let told: Value = serde_json::from_str(&Form::Ecs.line(&verdict, &writer())).unwrap();
        let original: Verdict =
            serde_json::from_str(told["event"]["original"].as_str().unwrap()).unwrap();
        prop_assert_eq!(&original, &verdict);
        let told: Verdict = serde_json::from_str(&Form::Ndjson.line(&verdict, &writer())).unwrap();
        prop_assert_eq!(&told, &verdict);
    }

    #[test]
    fn a_text_is_cut_between_its_letters(text in text(), bytes in 0..100_usize) {
        let cut = facts::at_most(&text, bytes);
        prop_assert!(cut.len() <= bytes.max(text.len().min(bytes)));
        prop_assert!(*cut == text || text.starts_with(cut.trim_end_matches('…')));
    }
}

#[test]
fn an_episode_is_created_updated_and_closed() {
    let found = finding("unknown_destination", "It went out.", &contact());
    let told = |grade: &str, state: &str, revision| {
        let verdict = verdict(grade, state, revision, "text", &found);
        let event = ocsf(&verdict, &writer());
        let number = |key: &str| event[key].as_u64().unwrap();
        (
            number("activity_id"),
            number("status_id"),
            number("severity_id"),
        )
    };
    assert_eq!(told("LOW", "raised", 1), (1, 1, 2));
    assert_eq!(told("CRITICAL", "escalated", 2), (2, 2, 5));
    assert_eq!(told("HIGH", "updated", 3), (2, 2, 4));
    assert_eq!(told("MEDIUM", "updated", 4), (2, 2, 3));
    assert_eq!(told("CRITICAL", "cleared", 5), (3, 4, 1));
}

#[test]
fn every_grade_has_its_place_in_every_scale() {
    let found = finding("scan", "It looked around.", &contact());
    let told = |grade: &str, state: &str| {
        let severity = scale::severity(&verdict(grade, state, 1, "text", &found));
        (severity.ecs, severity.cef, severity.syslog)
    };
    assert_eq!(told("CRITICAL", "raised"), (99, 10, 2));
    assert_eq!(told("HIGH", "raised"), (73, 8, 3));
    assert_eq!(told("MEDIUM", "raised"), (47, 6, 4));
    assert_eq!(told("LOW", "raised"), (21, 3, 5));
    assert_eq!(told("CRITICAL", "cleared"), (1, 1, 6));
}

#[test]
fn both_ends_of_a_connection_are_told_apart() {
    let mut observed = contact();
    let made = |observed: &Value| {
        let found = finding("unknown_destination", "It went out.", observed);
        verdict("HIGH", "raised", 1, "text", &found)
    };
    let line = cef(&made(&observed), &writer());
    assert!(line.contains(" shost=cnc-07 dst=203.0.113.77 deviceDirection=1 dpt=4444 proto=TCP "));
    observed["role"] = "responder".into();
    let line = cef(&made(&observed), &writer());
    assert!(
        line.contains(" src=203.0.113.77 dhost=cnc-07 deviceDirection=0 dpt=4444 "),
        "{line}"
    );
    observed["peer"] = "2001:db8::1".into();
    let line = cef(&made(&observed), &writer());
    let words = " c6a2Label=Source IPv6 Address c6a2=2001:db8::1 ";
    assert!(line.contains(words) && !line.contains(" src="), "{line}");
    let event = ocsf(&made(&observed), &writer());
    let evidence = &event["evidences"][0];
    assert_eq!(evidence["connection_info"]["direction"], "Inbound");
    assert_eq!(evidence["src_endpoint"]["ip"], "2001:db8::1");
    assert_eq!(evidence["dst_endpoint"]["port"], 4444);
    assert_eq!(
        ecs(&made(&observed), &writer())["destination"]["address"],
        "cnc-07"
    );
}

#[test]
fn a_datagram_holds_the_text_that_has_room() {
    let found = finding("scan", "text", &contact());
    let long = "µ".repeat(10_000);
    let mut verdict = verdict("HIGH", "raised", 1, "text", &found);
    verdict.sentence = long;
    let writer = Writer {
        message_bytes_max: Writer::DATAGRAM_BYTES_MAX,
        ..writer()
    };
    let line = syslog(&verdict, &writer);
    assert!((2_040..=2_048).contains(&line.len()) && line.ends_with('…'));
    for odd in ODD {
        let writer = Writer::new(odd, odd);
        let line = syslog(&verdict, &writer);
        assert!(read_syslog(&line).is_some(), "{line}");
    }
}
