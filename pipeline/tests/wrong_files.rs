//! Files that a person wrote wrong, and wrong usage: the binary ends with 2 and says everything
//! that is wrong, with the place and, where there is one, a hint.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;

use std::fs;

use tempfile::TempDir;

/// Runs the binary, insists on a status of 2, and returns what it complained about.
fn refused(args: &[&str]) -> String {
    let output = plant::andon().args(args).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "andon {args:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// A folder with a file of this content in it, and the path of the file.
fn written(name: &str, content: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path.to_string_lossy().into_owned())
}

fn assert_says(said: &str, what: &[&str]) {
    for text in what {
        assert!(said.contains(text), "no `{text}` in:\n{said}");
    }
}

#[test]
fn a_profile_that_names_an_unknown_detector_is_refused() {
    let text = "profile: pump\nversion: \"1\"\ndetectors:\n  unknown_destinaton: off\n";
    let (folder, path) = written("pump.yaml", text);
    let said = refused(&["profile", "check", &path]);
    assert_says(
        &said,
        &[
            "4:3",
            "unknown_destinaton",
            "Did you mean `unknown_destination`?",
        ],
    );
    // The same where the profiles are used.
    let capture = folder.path().join("capture.ndjson");
    fs::write(&capture, "").unwrap();
    let (capture, profiles) = (capture.to_string_lossy(), folder.path().to_string_lossy());
    let again = refused(&["backtest", &capture, "--profiles", &profiles]);
    assert_says(&again, &["unknown_destinaton"]);
}

#[test]
fn an_inventory_is_refused_with_all_its_mistakes_at_once() {
    let text = "\
site: test
time_zone: Mars/Olympus
netwrks: [10.0.0.0/8]
segments:
  - name: floor
    networks: [10.0.0.0/33]
devices:
  - type: agv
    segment: flor
    id: agv-1
    addresses: 10.0.0.999
";
    let (_folder, path) = written("inventory.yaml", text);
    let said = refused(&["backtest", "capture.ndjson", "--inventory", &path]);
    assert_says(&said, &["2:12", "Mars/Olympus", "Europe/Berlin"]);
    assert_says(&said, &["3:1", "netwrks", "Did you mean `networks`?"]);
    assert_says(&said, &["6:16", "10.0.0.0/33"]);
    assert_says(&said, &["9:14", "flor", "Did you mean `floor`?"]);
    assert_says(&said, &["11:16", "10.0.0.999"]);
    assert_says(&said, &["assessment"]);
}

#[test]
fn wrong_usage_ends_with_2_and_names_what_is_wrong() {
    let cases: [(&[&str], &str); 12] = [
        (&["fly"], "fly"),
        (&["backtest"], "CAPTURE"),
        (&["backtest", "nowhere.ndjson"], "nowhere.ndjson"),
        (&["backtest", "-", "--as-of", "never"], "never"),
        (&["backtest", "-", "--fail-on", "AWFUL"], "AWFUL"),
        (
            &["backtest", "-", "--inventory", "nowhere.yaml"],
            "nowhere.yaml",
        ),
        (
            &[
                "simulate", "--hours", "1", "--out", "x.ndjson", "--attack", "yell",
            ],
            "yell",
        ),
        (&["run", "--config", "nowhere.toml"], "nowhere.toml"),
        (
            &["backtest", "-", "--shards", "100000"],
            "between 1 and 256",
        ),
        (&["run", "--shards", "0"], "between 1 and 256"),
        (&["demo", "--speed", "NaN"], "NaN"),
        (&["demo", "--duration", "0s"], "0s"),
    ];
    for (args, name) in cases {
        let said = refused(args);
        assert_says(&said, &[name]);
        assert!(
            said.matches("(os error").count() <= 1,
            "it repeats itself: {said}"
        );
    }
}

#[test]
fn an_unknown_key_of_the_configuration_is_refused_with_its_line() {
    let (folder, path) = written("andon.toml", "mode = \"monitor\"\nshrads = 2\n");
    let data = folder.path().join("data");
    let said = refused(&["run", "--config", &path, "--data", &data.to_string_lossy()]);
    assert_says(&said, &["line 2", "shrads"]);
}
