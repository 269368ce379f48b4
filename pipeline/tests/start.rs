//! Starts that fail, and parties that are not there: the binary says so before it says that it
//! listens, does not wait for ever, and leaves nothing behind.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

/// What a process ended with and said.
struct Ended {
    status: Option<i32>,
    printed: String,
    complaint: String,
}

fn andon(args: &[&str]) -> Ended {
    let ended = plant::andon().args(args).output().unwrap();
    Ended {
        status: ended.status.code(),
        printed: String::from_utf8(ended.stdout).unwrap(),
        complaint: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// An address at which nobody answers in MQTT, as long as the listener lives.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_run_that_cannot_listen_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (_taken, address) = silent();
    let data = folder.path().join("data");
    let ended = andon(&["run", "--mqtt", &address, "--data", &data.to_string_lossy()]);
    assert_eq!(ended.status, Some(2), "{}", ended.complaint);
    assert!(ended.complaint.contains(&address), "{}", ended.complaint);
    assert_eq!(ended.printed, "");
    assert!(!data.exists());
}

#[test]
fn a_past_that_cannot_be_gone_on_from_is_told_before_anybody_is_listened_to() {
    for (file, what) in [("state.bin", "is damaged"), ("reader.token", "no token")] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(file), "nonsense").unwrap();
        let data = folder.path().to_string_lossy();
        let ended = andon(&["run", "--mqtt", "127.0.0.1:0", "--data", &data]);
        assert!(matches!(ended.status, Some(1 | 2)), "{}", ended.complaint);
        assert!(ended.complaint.contains(what), "{}", ended.complaint);
        assert_eq!(ended.printed, "");
        assert_eq!(names(folder.path()), [file]);
    }
}

#[test]
fn a_run_that_never_reached_its_broker_does_not_end_well() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, address) = silent();
    // Nobody at all is there.
    drop(listener);
    let ended = andon(&[
        "run",
        "--mqtt",
        &format!("mqtt://{address}"),
        "--data",
        &folder.path().to_string_lossy(),
        "--duration",
        "300ms",
    ]);
    assert_eq!(ended.status, Some(1), "{}", ended.complaint);
    assert!(
        ended
            .complaint
            .contains("error: the broker was never reached"),
        "{}",
        ended.complaint
    );
    // What it came to is told all the same.
    assert!(ended.printed.contains("records"), "{}", ended.printed);
    assert!(folder.path().join("summary.json").exists());
}

#[test]
fn a_publisher_that_reaches_nobody_gives_up_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("capture.ndjson");
    let record = r#"{"kind":"reading","device":"d","time":"2025-12-12T09:00:00Z","current_a":3.0}"#;
    fs::write(&capture, record).unwrap();
    let capture = capture.to_string_lossy();
    let (listener, address) = silent();
    let publish = || {
        let ended = andon(&[
            "publish",
            &capture,
            "--mqtt",
            &address,
            "--connect-timeout",
            "300ms",
        ]);
        assert_eq!(ended.status, Some(1), "{}", ended.complaint);
        let said = format!("cannot publish to `{address}`");
        assert!(ended.complaint.contains(&said), "{}", ended.complaint);
    };
    // Somebody takes the connection and says nothing; then nobody is there.
    publish();
    drop(listener);
    publish();
}

#[test]
fn a_capture_of_which_nothing_can_be_read_is_not_published_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("conn.log");
    fs::write(&capture, "Dear diary\n").unwrap();
    let (_listener, address) = silent();
    let ended = andon(&["publish", &capture.to_string_lossy(), "--mqtt", &address]);
    assert_eq!(ended.status, Some(2), "{}", ended.complaint);
    assert!(
        ended.complaint.contains("no known format"),
        "{}",
        ended.complaint
    );
}
