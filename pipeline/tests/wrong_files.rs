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
    let cases: [(&[&str], &str); 22] = [
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
        (&["backtest", "-", "--shards", "0"], "between 1 and 256"),
        (
            &["simulate", "--hours", "0", "--out", "x.ndjson"],
            "whole number above 0",
        ),
        (
            &["backtest", "-", "--batch-size", "0"],
            "whole number above 0",
        ),
        (
            &["backtest", "-", "--batch-size=-1"],
            "whole number above 0",
        ),
        (
            &["backtest", "-", "--restart-every", "0"],
            "whole number above 0",
        ),
        (&["demo", "--speed", "0"], "not a number above 0"),
        (&["demo", "--speed=-2"], "not a number above 0"),
        (
            &["publish", "-", "--mqtt", "x:1", "--speed", "inf"],
            "not a number above 0",
        ),
        (
            &["publish", "-", "--mqtt", "x:1", "--speed", "0"],
            "not a number above 0",
        ),
        (
            &["publish", "-", "--mqtt", "x:1", "--connect-timeout", "0"],
            "not a time",
        ),
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
fn a_folder_without_profiles_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "no profile").unwrap();
    let path = folder.path().to_string_lossy();
    for args in [
        &["backtest", "-", "--profiles", &path][..],
        &["profile", "check", &path],
        &["run", "--profiles", &path, "--mqtt", "127.0.0.1:0"],
    ] {
        let said = refused(args);
        assert_says(&said, &[&*path, "holds no `.yaml` file", "built-in ones"]);
    }
}

#[test]
fn labels_are_refused_with_all_their_mistakes_at_once() {
    let label = |device: &str, attack: &str, detector: &str, end: &str| {
        format!(
            r#"{{"attack":"{attack}","device":"{device}","start":"2025-12-14T02:00:00Z","end":"{end}","expected_grade":"HIGH","detectors":["{detector}"],"later":false,"note":""}}"#
        )
    };
    let plc = "plc-assembly-line-3";
    let (attack, detector) = ("plc-night-exfil", "unknown_destination");
    let end = "2025-12-14T03:00:00Z";
    let good = label(plc, attack, detector, end);
    let lines = [
        good.clone(),
        "nonsense".to_owned(),
        label(plc, "yell", "telepathy", end),
        String::new(),
        label(plc, attack, detector, "2025-12-13T03:00:00Z"),
        r#"{"attack":"plc-night-exfil"}"#.to_owned(),
    ];
    let (folder, path) = written("labels.ndjson", &lines.join("\n"));
    let capture = folder.path().join("capture.ndjson");
    fs::write(&capture, "").unwrap();
    let capture = capture.to_string_lossy();
    let said = refused(&["backtest", &capture, "--labels", &path]);
    assert_says(&said, &[&path, "line 2: not a label: expected", "column 2"]);
    assert_says(&said, &["line 3: attack \"yell\"", "--attack list"]);
    assert_says(&said, &["line 3: detector \"telepathy\""]);
    assert_says(
        &said,
        &["line 5: attack ends before", "line 6: not a label"],
    );
    assert!(
        !said.contains("line 1:") && !said.contains("at line"),
        "{said}"
    );

    let devices = [good, label("toaster-9", attack, detector, end)];
    fs::write(&path, devices.join("\n")).unwrap();
    let said = refused(&["backtest", &capture, "--labels", &path]);
    assert_says(&said, &["line 2: device `toaster-9`"]);
    assert!(!said.contains("line 1:"), "{said}");
}

#[test]
fn an_unknown_key_of_the_configuration_is_refused_with_its_line() {
    let (folder, path) = written("andon.toml", "mode = \"monitor\"\nshrads = 2\n");
    let data = folder.path().join("data");
    let said = refused(&["run", "--config", &path, "--data", &data.to_string_lossy()]);
    assert_says(&said, &["line 2", "shrads"]);
}
