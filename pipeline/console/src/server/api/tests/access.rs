//! Who may ask, and how often.

use super::{Console, LONG, OPERATOR, access, device};
use crate::access::{Access, Role, Token};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::server::{Limits, Server};

fn with_tokens() -> Console {
    let token = |text: &str, role| Token::of_text(text, text, role);
    let access = Access {
        tokens: vec![
            token("andon_reader", Role::Read),
            token("andon_responder", Role::Respond),
        ],
        ..access()
    };
    Console::of(Limits::default(), access, 8)
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[test]
fn on_loopback_everybody_may_read_and_nobody_decide_without_the_token_of_the_machine() {
    let console = Console::new();
    assert_eq!(console.get("/v1/status").status, 200);
    let path = format!("/v1/devices/{}/quarantine", device(0));
    let body = "{\"reason\": \"it is on fire\"}";
    console
        .post(&path, "", body)
        .is_problem(401, "a token is needed");
    // There is nobody here who carries it out; but it was let through.
    console
        .post(&path, &bearer(OPERATOR), body)
        .is_problem(503, "nobody is there");
    let plain = format!("Content-Type: text/plain\r\n{}", bearer(OPERATOR));
    console
        .ask("POST", &path, &plain, body)
        .is_problem(415, "application/json");
}

#[test]
fn with_tokens_each_may_do_what_its_role_allows() {
    let console = with_tokens();
    let path = format!("/v1/devices/{}/release", device(0));
    let body = "{\"reason\": \"all is well\"}";
    let nobody = console.get("/v1/status");
    nobody.is_problem(401, "a token is needed");
    assert!(
        nobody
            .header("www-authenticate")
            .unwrap()
            .starts_with("bearer")
    );
    assert_eq!(console.get("/metrics").status, 401);
    assert_eq!(console.get("/health/ready").status, 200);
    let wrong = bearer("andon_readers");
    console
        .ask("GET", "/v1/status", &wrong, "")
        .is_problem(401, "not known");
    console
        .ask("GET", "/v1/status", "Authorization: Basic YTpi\r\n", "")
        .is_problem(401, "not known");
    let reader = bearer("andon_reader");
    assert_eq!(console.ask("GET", "/v1/status", &reader, "").status, 200);
    assert_eq!(
        console
            .post("/v1/risk", &reader, "{\"devices\": []}")
            .status,
        200
    );
    console
        .post(&path, &reader, body)
        .is_problem(403, "`respond` is needed");
    console
        .post(&path, &bearer("andon_responder"), body)
        .is_problem(503, "nobody is there");
}

#[test]
fn a_page_of_another_name_that_leads_here_gets_nothing() {
    let console = Console::new();
    for host in [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "",
    ] {
        let answer = console.ask("GET", "/v1/status", &format!("Host: {host}\r\n"), "");
        answer.is_problem(421, "`Host` is no name");
    }
    for host in ["localhost:1", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST"] {
        let answer = console.ask("GET", "/v1/status", &format!("Host: {host}\r\n"), "");
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn answers_say_that_browsers_must_not_make_more_of_them() {
    let console = Console::new();
    let answer = console.get("/v1/status");
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .contains("default-src 'none'")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(
        console.get("/v1/nowhere").header("x-frame-options"),
        Some("deny")
    );
}

#[test]
fn whoever_asks_too_often_is_told_when_to_come_again() {
    let access = Access {
        requests_per_second: Some(3),
        ..access()
    };
    let console = Console::of(Limits::default(), access, 8);
    let answers: Vec<_> = (0..20).map(|_| console.get("/v1/status")).collect();
    let refused = answers.iter().find(|answer| answer.status != 200).unwrap();
    refused.is_problem(429, "too many");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(answers[0].status, 200);
}

#[test]
fn tokens_cannot_be_tried_out() {
    let console = with_tokens();
    let tried: Vec<u16> = (0..60)
        .map(|n| {
            console
                .ask("GET", "/v1/status", &bearer(&n.to_string()), "")
                .status
        })
        .collect();
    assert_eq!(tried[0], 401);
    assert_eq!(tried.last(), Some(&429));
    // Whoever has one keeps it, from the same address.
    let answer = console.ask("GET", "/v1/status", &bearer("andon_reader"), "");
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn an_address_that_others_reach_is_refused_without_tls_and_tokens() {
    let open = |access: Access| {
        let health = Health::new(&[], LONG);
        let server = Server::bind("0.0.0.0:0", health, Metrics::new("1")).unwrap();
        let inventory = andon_schemas::builtin::inventory().unwrap();
        let mode = andon_schemas::command::Mode::Monitor;
        let board = crate::board::Board::new(&inventory, mode, "1", "boot");
        server
            .telling(board, access)
            .map(drop)
            .map_err(|e| e.to_string())
    };
    let refused = open(access()).unwrap_err();
    assert!(
        refused.contains("neither a certificate nor a token"),
        "{refused}"
    );
    let tokens = Access {
        tokens: vec![Token::of_text("andon_a", "a", Role::Read)],
        ..Access::default()
    };
    let refused = open(tokens).unwrap_err();
    assert!(refused.contains("there is no certificate"), "{refused}");
}

#[test]
fn a_token_is_known_by_its_digest() {
    let (text, token) = Token::of_bytes(&[0xab; 32], "pdp", Role::Read);
    assert_eq!(text, format!("andon_{}", "ab".repeat(32)));
    assert_eq!(token.digest, Token::of_text(&text, "", Role::Admin).digest);
}
