//! The schema registry, played by a thread that answers as it is told.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::framed::{avro, framed};
use super::*;

/// A registry that answers every question alike, and keeps the questions. It hangs up only where
/// its answer says so.
struct Played {
    at: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<String>>,
}

impl Played {
    /// With an answer as it goes over the wire; of an empty one nothing ever comes.
    fn with(answer: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new(answer.to_owned()));
        let (hearing, answering) = (heard.clone(), answer.clone());
        std::thread::spawn(move || {
            let mut hung = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                hearing.lock().unwrap().push(question(&stream));
                let answer = answering.lock().unwrap().clone();
                // Who asks may hang up before the end.
                let gone = stream.write_all(answer.as_bytes()).is_err();
                if !gone && !answer.contains("connection: close") {
                    hung.push(stream);
                }
            }
        });
        Self { at, heard, answer }
    }

    fn answers(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn options(&self) -> Options {
        Options {
            registry: Some(format!("http://{}", self.at)),
            // Longer than any test: an answer comes, and what is not to be asked again is not.
            patience: Duration::from_secs(60),
            retry: Duration::from_secs(3_600),
            ..Options::default()
        }
    }
}

/// The head of a request.
fn question(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines();
    let lines = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

fn response(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The registry's answer with a schema.
fn told(schema: &str) -> String {
    response(
        "200 OK",
        &serde_json::json!({ "schema": schema }).to_string(),
    )
}

/// A schema of somebody else, who calls the fields as we do.
const THEIRS: &str = r#"{"type":"record","name":"Sample","fields":[
    {"name":"device","type":"string"},
    {"name":"kind","type":{"type":"enum","name":"K","symbols":["reading"]}},
    {"name":"time","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"current_a","type":"double"},
    {"name":"plant","type":{"type":"map","values":"bytes"}},
    {"name":"trace","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}}]}"#;

/// A datum of [`THEIRS`]: 1.5 A at the first second of 1970, a map of one, and a UUID.
const SAMPLE: &[u8] =
    b"\x02d\x00\xd0\x0f\x00\x00\x00\x00\x00\x00\xf8\x3f\x02\x02k\x04\xab\xcd\x000123456789abcdef";

fn sample() -> Record {
    let line = r#"{"kind":"reading","device":"d","time":"1970-01-01T00:00:01Z","current_a":1.5}"#;
    decode(line.as_bytes(), DecodeOptions::default()).unwrap()
}

#[test]
fn a_schema_is_asked_for_once() {
    let registry = Played::with(&told(THEIRS));
    let mut payloads = payloads(&registry.options());
    for _ in 0..3 {
        let read = read_by(&mut payloads, &framed(1_207, SAMPLE));
        assert_eq!(read, [Ok(sample())]);
    }
    let heard = registry.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(
        heard[0].starts_with("GET /schemas/ids/1207 HTTP/1.1\n"),
        "{heard:?}"
    );
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let registry = Played::with(&told(THEIRS));
    let options = Options {
        registry: Some(format!("http://mart%3An:s%40cret@{}/sub/", registry.at)),
        ..registry.options()
    };
    let mut payloads = payloads(&options);
    assert_eq!(read_by(&mut payloads, &framed(1, SAMPLE)), [Ok(sample())]);
    let heard = registry.heard().remove(0);
    assert!(heard.starts_with("GET /sub/schemas/ids/1 "), "{heard}");
    // `mart:n:s@cret`, as any tool encodes it.
    assert!(heard.contains("Basic bWFydDpuOnNAY3JldA=="), "{heard}");
    let shown = format!("{options:?} {payloads:?}");
    assert!(
        !shown.contains("cret") && !shown.contains("bWFydD"),
        "{shown}"
    );
    let wrong = Options {
        registry: Some("ftp://martin:secret@registry.example".to_owned()),
        ..Options::default()
    };
    let error = Payloads::new(&wrong).unwrap_err().to_string();
    assert!(error.contains("ftp://registry.example"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn a_number_without_a_schema_is_refused_and_not_asked_again_soon() {
    let registry = Played::with(&response("404 Not Found", "{\"error_code\":40403}"));
    let mut payloads = payloads(&registry.options());
    for id in [5, 5, 6, 5] {
        // Even where our own record would fit: the number is somebody else's.
        let refused = the_refusal(read_by(&mut payloads, &framed(id, &avro(LINES[0]))));
        assert_eq!(refused.reason, RejectReason::Unsupported);
        assert!(
            refused.detail.contains(&format!("no schema {id}")),
            "{refused}"
        );
    }
    assert_eq!(registry.heard().len(), 2);
}

#[test]
fn a_registry_that_does_not_answer_is_left_alone_and_our_own_record_is_read() {
    for (answer, said) in [
        (String::new(), "does not answer within 300ms"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{".to_owned(),
            "does not answer within 300ms",
        ),
        (response("500 Oops", "{}"), "status 500"),
        (
            response("401 Unauthorized", "{}"),
            "refuses our credentials",
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
                .to_owned(),
            "redirect",
        ),
        ("SSH-2.0-OpenSSH\r\n\r\n".to_owned(), "cannot be asked"),
        (
            response("200 OK", "<html>"),
            "answers like no schema registry",
        ),
        (
            response("200 OK", &" ".repeat(300_000)),
            "more than 262144 bytes",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 500\r\nconnection: close\r\n\r\n{".to_owned(),
            "cannot be asked",
        ),
    ] {
        let registry = Played::with(&answer);
        let mut options = registry.options();
        if said.contains("300ms") {
            options.patience = Duration::from_millis(300);
        }
        let mut payloads = payloads(&options);
        for id in 0..20 {
            let read = read_by(&mut payloads, &framed(id, &avro(LINES[0])));
            assert_eq!(read, [Ok(records().swap_remove(0))]);
            let refused = the_refusal(read_by(&mut payloads, &framed(id, SAMPLE)));
            assert_eq!(refused.reason, RejectReason::Unsupported);
            assert!(refused.detail.contains(said), "{said}: {refused}");
            assert!(
                refused.detail.contains(&format!("schema {id}")),
                "{refused}"
            );
        }
        assert_eq!(registry.heard().len(), 1, "{said}");
    }
}

#[test]
fn an_address_where_nobody_listens_is_no_error_at_the_start() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let options = Options {
        registry: Some(format!("http://{at}")),
        ..Options::default()
    };
    let mut payloads = payloads(&options);
    let read = read_by(&mut payloads, &framed(1, &avro(LINES[1])));
    assert_eq!(read, [Ok(records().swap_remove(1))]);
}

#[test]
fn a_registry_that_is_back_is_asked_again() {
    let registry = Played::with(&response("503 Not Yet", ""));
    let options = Options {
        retry: Duration::ZERO,
        ..registry.options()
    };
    let mut payloads = payloads(&options);
    the_refusal(read_by(&mut payloads, &framed(1, SAMPLE)));
    registry.answers(&response("404 Not Found", ""));
    the_refusal(read_by(&mut payloads, &framed(1, SAMPLE)));
    registry.answers(&told(THEIRS));
    assert_eq!(read_by(&mut payloads, &framed(1, SAMPLE)), [Ok(sample())]);
}

#[test]
fn a_schema_is_kept_over_a_restart_for_its_own_registry() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Played::with(&told(THEIRS));
    let options = Options {
        schemas: Some(folder.path().join("schemas")),
        ..registry.options()
    };
    let first = read_by(&mut payloads(&options), &framed(1, SAMPLE));
    assert_eq!(first, [Ok(sample())]);
    registry.answers(&response("503 Gone", ""));
    let again = read_by(&mut payloads(&options), &framed(1, SAMPLE));
    assert_eq!(again, [Ok(sample())]);
    assert_eq!(registry.heard().len(), 1);
    let other = Played::with(&response("404 Not Found", ""));
    let elsewhere = Options {
        registry: other.options().registry,
        ..options.clone()
    };
    the_refusal(read_by(&mut payloads(&elsewhere), &framed(1, SAMPLE)));
    // What the disk lost or spoiled is asked for again.
    for kept in std::fs::read_dir(folder.path().join("schemas")).unwrap() {
        std::fs::write(kept.unwrap().path().join("1.json"), "{").unwrap();
    }
    registry.answers(&told(THEIRS));
    let again = read_by(&mut payloads(&options), &framed(1, SAMPLE));
    assert_eq!(again, [Ok(sample())]);
    assert_eq!(registry.heard().len(), 2);
}

#[test]
fn a_folder_that_cannot_be_written_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("schemas");
    std::fs::write(&taken, "a file").unwrap();
    let registry = Played::with(&told(THEIRS));
    let options = Options {
        schemas: Some(taken),
        ..registry.options()
    };
    let read = read_by(&mut payloads(&options), &framed(1, SAMPLE));
    assert_eq!(read, [Ok(sample())]);
}

#[test]
fn made_up_numbers_do_not_hammer_the_registry() {
    let registry = Played::with(&response("404 Not Found", ""));
    let mut payloads = payloads(&registry.options());
    for id in 0..500 {
        the_refusal(read_by(&mut payloads, &framed(id, SAMPLE)));
    }
    assert!(registry.heard().len() <= 64, "{}", registry.heard().len());
}

#[test]
fn a_schema_that_cannot_be_read_is_refused_with_the_reason() {
    let list = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    let typed = |kind: &str| {
        let body = serde_json::json!({"schema": "syntax = \"proto3\";", "schemaType": kind});
        response("200 OK", &body.to_string())
    };
    let referring = serde_json::json!({"schema": THEIRS, "references": [{"name": "a"}]});
    for (answer, said) in [
        (told("\"string\""), "not the schema of a record"),
        (told("{"), "no Avro schema"),
        (told(list), "refers to itself"),
        (typed("PROTOBUF"), "written in PROTOBUF"),
        (response("200 OK", &referring.to_string()), "other schemas"),
    ] {
        let registry = Played::with(&answer);
        let mut payloads = payloads(&registry.options());
        for _ in 0..2 {
            let refused = the_refusal(read_by(&mut payloads, &framed(9, SAMPLE)));
            assert_eq!(refused.reason, RejectReason::Unsupported);
            assert!(refused.detail.contains(said), "{said}: {refused}");
            assert!(refused.detail.starts_with("schema 9 "), "{refused}");
        }
        assert_eq!(registry.heard().len(), 1);
    }
}

#[test]
fn a_body_under_json_schema_is_json() {
    let body = serde_json::json!({"schema": "{}", "schemaType": "JSON"}).to_string();
    let registry = Played::with(&response("200 OK", &body));
    let mut payloads = payloads(&registry.options());
    let read = read_by(&mut payloads, &framed(3, LINES[0].as_bytes()));
    assert_eq!(read, [Ok(records().swap_remove(0))]);
    let refused = the_refusal(read_by(&mut payloads, &framed(3, SAMPLE)));
    assert_eq!(refused.reason, RejectReason::Malformed, "{refused}");
}

#[test]
fn a_datum_that_its_schema_does_not_fit_is_refused_with_its_place() {
    let registry = Played::with(&told(THEIRS));
    let mut payloads = payloads(&registry.options());
    for cut in 0..SAMPLE.len() {
        let refused = the_refusal(read_by(&mut payloads, &framed(4, &SAMPLE[..cut])));
        assert_eq!(refused.reason, RejectReason::Truncated, "{refused}");
        assert!(
            refused.detail.starts_with("schema 4: datum breaks off"),
            "{refused}"
        );
    }
    let mut endless = SAMPLE.to_vec();
    endless[5..13].copy_from_slice(&f64::NAN.to_le_bytes());
    let refused = the_refusal(read_by(&mut payloads, &framed(4, &endless)));
    assert_eq!(refused.reason, RejectReason::OutOfRange);
    assert!(refused.detail.contains("`current_a` is NaN"), "{refused}");
}

#[test]
fn what_is_no_address_is_refused_at_the_start() {
    for (address, said) in [
        ("registry:8081", "neither `http://` nor `https://`"),
        ("http://", "schema registry"),
        ("http://registry/?a=b", "`?`"),
        ("https://regi stry", "schema registry"),
    ] {
        let options = Options {
            registry: Some(address.to_owned()),
            ..Options::default()
        };
        let error = Payloads::new(&options).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let options = Options {
        registry: Some("https://registry".to_owned()),
        registry_ca: Some("no/such/ca.pem".into()),
        ..Options::default()
    };
    let error = Payloads::new(&options).unwrap_err().to_string();
    assert!(error.contains("no/such/ca.pem"), "{error}");
}
