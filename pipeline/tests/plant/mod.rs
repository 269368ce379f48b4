//! What the end-to-end tests share: running the binary, captures of the simulated plant.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary under test.
pub(crate) fn andon() -> Command {
    Command::new(env!("CARGO_BIN_EXE_andon"))
}

/// Runs the binary and insists that it ends with status 0.
pub(crate) fn run(args: &[&str]) -> Output {
    let output = andon().args(args).output().expect("the binary starts");
    assert!(
        output.status.success(),
        "andon {args:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A capture of the plant, from Sunday 02:20 plant time, with attacks.
pub(crate) fn simulate(folder: &Path, hours: &str, limit: &str, attacks: &[&str]) -> PathBuf {
    let capture = folder.join("capture.ndjson");
    let text = capture.to_string_lossy().into_owned();
    let mut args = vec![
        "simulate",
        "--plant",
        "precision-parts",
        "--start",
        "2025-12-14T01:20:00Z",
        "--hours",
        hours,
        "--seed",
        "5",
        "--out",
        &text,
        "--limit",
        limit,
    ];
    for attack in attacks {
        args.extend(["--attack", attack]);
    }
    run(&args);
    capture
}

/// Where the product's profiles lie.
pub(crate) const PROFILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../profiles");

/// The product's profiles, but that devices of some types may talk to one more address.
pub(crate) fn permitting(folder: &Path, name: &str, types: &str, address: &str) -> PathBuf {
    let profiles = folder.join(name);
    fs::create_dir(&profiles).expect("it can be read");
    for entry in fs::read_dir(PROFILES).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        let file = path
            .file_name()
            .expect("it can be read")
            .to_str()
            .expect("it can be read");
        if path.is_file() {
            let text = fs::read_to_string(&path).expect("it can be read");
            let more = format!("destinations:\n  - {{ address: {address} }}\n");
            let text = if file.starts_with(types) {
                text.replacen("destinations:\n", &more, 1)
            } else {
                text
            };
            fs::write(profiles.join(file), text).expect("it can be read");
        }
    }
    profiles
}

/// The bytes of a file of a run.
pub(crate) fn read(folder: &Path, file: &str) -> Vec<u8> {
    fs::read(folder.join(file)).expect("the run wrote it")
}

/// Lines of JSON.
pub(crate) fn lines(bytes: &[u8]) -> Vec<serde_json::Value> {
    String::from_utf8_lossy(bytes)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

/// Lines of JSON of a file that is being written: the last one may be on its way.
pub(crate) fn lines_so_far(path: &Path) -> Vec<serde_json::Value> {
    let bytes = fs::read(path).expect("it can be read");
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    lines(&bytes[..end.map_or(0, |end| end + 1)])
}

/// Tells a process to end in order.
pub(crate) fn terminate(process: &std::process::Child) {
    signal(process, "-TERM");
}

/// Sends a signal to a process.
pub(crate) fn signal(process: &std::process::Child, signal: &str) {
    let pid = process.id().to_string();
    let told = Command::new("kill")
        .args([signal, &pid])
        .status()
        .expect("kill is there");
    assert!(told.success());
}
