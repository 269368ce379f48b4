//! What is served if it is configured: bundles and decisions. What is in a bundle is shown beside it;
//! who decides is a stand-in here.

use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::bundle::BundleOptions;
use crate::decision::{Decided, DecisionPoint};

const BUNDLE: &str = "/v1/opa/bundle.tar.gz";

fn offering(decisions: Option<Arc<dyn DecisionPoint>>) -> Console {
    let options = BundleOptions {
        expires: Duration::from_secs(600),
        policy: Vec::new(),
        signer: None,
    };
    let offers = Offers {
        bundles: Some(options),
        decisions,
        signals: None,
    };
    Console::offering(Limits::default(), access(), 1_024, offers)
}

#[derive(Debug)]
struct Echo;

impl DecisionPoint for Echo {
    fn decide(&self, who: &str, question: Value) -> Result<Decided, String> {
        if question == json!({ "full": true }) {
            return Err("the disk is full".to_owned());
        }
        Ok(Decided {
            id: "1".to_owned(),
            answer: json!({ "decision": "deny", "who": who, "asked": question }),
        })
    }
}

#[test]
fn nothing_is_offered_that_nobody_configured() {
    let console = Console::new();
    console.get(BUNDLE).is_problem(404, "[opa.bundle]");
    console
        .post("/v1/decision", "", "{}")
        .is_problem(404, "[pdp]");
    let as_opa = console.post("/v1/data/andon/authz/decision", "", "{}");
    as_opa.is_problem(404, "[pdp]");
}

#[test]
fn a_bundle_is_fetched_once_and_waited_for_after_that() {
    let console = offering(None);
    console.get(BUNDLE).is_problem(503, "not known yet");
    console.board.describe("{}");
    let first = console.get(BUNDLE);
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), Some("application/gzip"));
    let tag = first.header("etag").unwrap().to_owned();
    let known = format!("If-None-Match: {tag}\r\n");
    let again = console.ask("GET", BUNDLE, &known, "");
    assert_eq!((again.status, again.header("etag")), (304, Some(&*tag)));

    let waits = format!("{known}Prefer: modes=snapshot,delta;wait=60\r\n");
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| console.ask("GET", BUNDLE, &waits, ""));
        console
            .board
            .hear([heard(&device(0), 1, Risk::of_score(96))]);
        waiting.join().unwrap()
    });
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("application/vnd.openpolicyagent.bundles"));
    assert_ne!(answer.header("etag"), Some(&*tag));
    assert_eq!(console.ask("HEAD", BUNDLE, "", "").body, "");
}

#[test]
fn whoever_waits_for_a_bundle_does_not_hold_up_the_end() {
    let console = offering(None);
    console.board.describe("{}");
    let tag = console.get(BUNDLE).header("etag").unwrap().to_owned();
    let mut stream = console.connect();
    let request = format!(
        "GET {BUNDLE} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\
         Prefer: wait=60\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    // Once another is answered, this one is being answered, too.
    assert_eq!(console.get(BUNDLE).status, 200);
    let began = Instant::now();
    console.runtime.block_on(console.running.shutdown(LONG));
    assert!(began.elapsed() < LONG, "it was not cut");
    let mut text = String::new();
    let _ended = stream.read_to_string(&mut text).is_ok();
    assert!(text.is_empty() || Answer::of(&text).status == 304, "{text}");
}

#[test]
fn a_question_is_handed_on_with_who_asks_and_the_answer_is_handed_back() {
    let console = offering(Some(Arc::new(Echo)));
    let ours = console.post("/v1/decision", "", "{\"a\":1}");
    assert_eq!(ours.status, 200);
    assert_eq!(
        ours.json(),
        json!({ "decision": "deny", "who": "loopback", "asked": { "a": 1 } })
    );
    let path = "/v1/data/andon/authz/decision";
    let shown = format!("Authorization: Bearer {OPERATOR}\r\n");
    let as_opa = console
        .post(path, &shown, "{\"input\":{\"a\":1},\"other\":0}")
        .json();
    assert_eq!(as_opa["decision_id"], "1");
    assert_eq!(as_opa["result"]["who"], "operator");
    assert_eq!(as_opa["result"]["asked"], json!({ "a": 1 }));
    let refused = console.post("/v1/decision", "", "{\"full\":true}");
    refused.is_problem(503, "the disk is full");
    console
        .post("/v1/decision", "", "{")
        .is_problem(400, "cannot be read");
    console.get("/v1/decision").is_problem(405, "GET");
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(300 << 10));
    console
        .post("/v1/decision", "", &long)
        .is_problem(413, "longer");
    let strange = console.ask("POST", "/v1/decision", "Content-Type: text/plain\r\n", "{}");
    strange.is_problem(415, "application/json");
}
