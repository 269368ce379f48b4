//! What is read by hand is what the JSON library reads.

use proptest::prelude::*;

use super::super::members::Object;
use super::*;

/// Every member and what it is, however it is held.
fn told(members: &Members<'_>) -> String {
    format!("{members:?}")
}

fn by_library(text: &str) -> Option<String> {
    let object: Object<'_> = serde_json::from_str(text).ok()?;
    Some(told(&object.members()))
}

fn by_hand(text: &str) -> Option<String> {
    let mut members = Members::default();
    scan(text, &mut members).map(|()| told(&members))
}

#[test]
fn plain_records_are_read_here() {
    for text in [
        "{}",
        " { } ",
        r#"{"v":1,"kind":"flow","time":"2025-12-14T01:30:00Z","seq":18446744073709551,"x":true}"#,
        "{\"current_a\" : 4.25 , \"spindle_rpm\":8000,\"tpm_ok\":false,\"name\":\"fräse\"}",
        r#"{"addresses":["a", "b" ],"x":[ ],"name":[]}"#,
        r#"{"current_a":0.1,"spindle_rpm":12345678.1234567,"a long name of no meaning":"b"}"#,
    ] {
        assert_eq!(by_hand(text), by_library(text), "{text}");
        assert!(by_hand(text).is_some(), "{text}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_library() {
    for text in [
        "",
        "{",
        "{}x",
        "[]",
        "{\"v\"}",
        "{\"v\":}",
        "{\"v\":1,}",
        "{\"v\":1 \"kind\":2}",
        "{\"v\":01}",
        "{\"v\":-1}",
        "{\"v\":1e3}",
        "{\"v\":1.}",
        "{\"v\":1.5.2}",
        "{\"v\":null}",
        "{\"v\":1,\"v\":1}",
        "{\"kind\":\"a\\u0041\"}",
        "{\"kind\":\"a\tb\"}",
        "{\"v\":tru}",
        "{\"source\":{}}",
        "{\"addresses\":[1]}",
        "{\"addresses\":[\"a\",]}",
        "{\"addresses\":[\"a\"}",
        "{\"addresses\":[[]]}",
        "{\"v\":18446744073709551616}",
        "{v:1}",
        "{\"current_a\":0.1234567890123456}",
        "{\"kind\":\"a",
        "{\"v\":1x}",
        "{\"v\":1,\n\"seq\":2}",
    ] {
        assert!(by_hand(text).is_none(), "{text}");
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\"[a-zé0-9:. \\\\\"\u{1}-]{0,20}\"",
        "[0-9]{1,21}",
        "-?[0-9]{1,10}\\.[0-9]{1,10}",
        "[0-9]{1,3}[eE][0-9]",
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("[1,2]".to_owned()),
        "\\[ ?(\"[a-z]{0,3}\",?){0,3} ?\\]",
        Just("{\"a\":1}".to_owned()),
        "[a-z0-9.]{0,5}",
    ]
}

fn object() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "v|kind|time|received_at|sender|sender_proven|seq|current_a|source|uid|name",
        "[a-z\\\\]{0,5}"
    ];
    let blank = "[ \n]{0,1}";
    let members = prop::collection::vec((name, blank, value(), blank), 0..6);
    (members, "[{ ]{0,1}", "[} ,]{0,1}").prop_map(|(members, before, after)| {
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, before, value, after)| format!("\"{name}\"{before}:{value}{after}"))
            .collect();
        format!("{before}{{{}}}{after}", members.join(","))
    })
}

proptest! {
    #[test]
    fn whatever_is_read_here_is_what_the_library_reads(text in object()) {
        if let Some(told) = by_hand(&text) {
            prop_assert_eq!(Some(told), by_library(&text));
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        if let Some(told) = by_hand(&text) {
            prop_assert_eq!(Some(told), by_library(&text));
        }
    }

    #[test]
    fn the_first_quote_is_found(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let slow = bytes.iter().position(|byte| *byte == b'"');
        prop_assert_eq!(quote(&bytes), slow);
    }

    #[test]
    fn decimals_are_the_nearest(whole in 0_u64..100_000_000, decimals in "[0-9]{1,7}") {
        let text = format!("{{\"current_a\":{whole}.{decimals}}}");
        prop_assert_eq!(by_hand(&text), by_library(&text));
        prop_assert!(by_hand(&text).is_some());
    }
}
