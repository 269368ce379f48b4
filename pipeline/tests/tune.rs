//! `andon tune` as its user meets it: refused with too little traffic, certified with enough, and
//! what it proposes used by the engine.
#![expect(clippy::unwrap_used, reason = "what cannot be done fails the test")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn andon(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_andon"))
        .current_dir(folder)
        .args(args)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A small plant over a day and a half; nobody attacks it.
fn clean_traffic(folder: &Path) {
    let line = "simulate --hours 30 --seed 5 --devices 36 --out clean.parquet";
    let args: Vec<&str> = line.split_whitespace().collect();
    let made = andon(folder, &args);
    assert!(made.status.success(), "{}", text(&made));
}

/// Tunes the clean capture.
fn tune(folder: &Path, more: &[&str]) -> Output {
    let args = [
        "tune",
        "clean.parquet",
        "--inventory",
        "clean.parquet.inventory.yaml",
    ];
    andon(folder, &[&args[..], more].concat())
}

/// 0.1 % takes 2,995 device-hours if none is false.
fn is_refused(folder: &Path) {
    let refused = tune(folder, &["--out", "refused"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    let said = text(&refused);
    let claim = "REFUSED, at most 0.1 % of device-hours, sure to 95 %";
    assert!(said.contains(claim), "{said}");
    assert!(said.contains("nothing is proposed"), "{said}");
    let outcome = json(&folder.join("refused/tune.json"));
    let refusal = &outcome["verdicts"][0]["refused"];
    let needed = refusal["device_hours_needed"].as_u64().unwrap();
    assert!(needed >= 2_995, "{refusal}");
    assert_eq!(outcome["report"], Value::Null);
    assert!(!folder.join("refused/profiles").exists());
}

/// A claim that so little traffic can bear.
fn is_certified(folder: &Path) {
    let certified = tune(folder, &["--target-fpr", "5%", "--out", "tuned"]);
    assert_eq!(certified.status.code(), Some(0), "{}", text(&certified));
    let outcome = json(&folder.join("tuned/tune.json"));
    let claim = &outcome["verdicts"][0];
    let rate = &claim["false_positives"];
    assert!(rate["at_most"].as_f64().unwrap() <= 0.05, "{claim}");
    assert_eq!(rate["device_hours"], outcome["parts"][1]["device_hours"]);
    let path = outcome["path"].as_array().unwrap();
    let costs = path
        .iter()
        .map(|step| step["false_positives"]["count"].as_u64().unwrap());
    assert!(costs.is_sorted(), "{outcome}");
    // What is found does not fall from strict to loose.
    let triple = |step: &Value| {
        let found = step["found"].as_array().unwrap();
        let triple = found.iter().find(|one| one["attack"] == "volume x3");
        triple.map_or(0, |one| one["found_medium"].as_u64().unwrap())
    };
    assert!(path.iter().map(triple).is_sorted(), "{outcome}");
    let kept = &outcome["report"]["proposed"]["device_hours"];
    assert!(kept.as_u64().unwrap() > 0, "{outcome}");
    let picture = std::fs::read_to_string(folder.join("tuned/tradeoff.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("proposed"));
    let diff = std::fs::read_to_string(folder.join("tuned/proposal.diff")).unwrap();
    assert!(diff.contains("+calibration: { discount: "), "{diff}");
}

/// The proposal is a folder of profiles like any other, and evidence now carries its grade.
fn is_used(folder: &Path) {
    let checked = andon(folder, &["profile", "check", "tuned/profiles"]);
    assert!(checked.status.success(), "{}", text(&checked));
    let simulate = "simulate --hours 72 --seed 6 --devices 72 --attack volume-ladder \
                    --out attacked.parquet";
    let backtest = "backtest attacked.parquet --inventory attacked.parquet.inventory.yaml \
                    --profiles tuned/profiles --out result";
    for line in [simulate, backtest] {
        let args: Vec<&str> = line.split_whitespace().collect();
        let done = andon(folder, &args);
        assert!(done.status.success(), "{line}: {}", text(&done));
    }
    let verdicts = std::fs::read_to_string(folder.join("result/verdicts.jsonl")).unwrap();
    let carries = |line: &str| {
        let verdict: Value = serde_json::from_str(line).unwrap();
        let findings = verdict["findings"].as_array().unwrap();
        findings.iter().any(|finding| {
            finding["rule"] == false
                && finding["confidence"]["basis"] == "calibrated"
                && finding["grade"] != "LOW"
        })
    };
    let any = verdicts.lines().any(carries);
    assert!(any, "no evidence carries a grade above LOW");
    let explained = andon(folder, &["explain", "all", "--data", "result"]);
    assert!(explained.status.success(), "{}", text(&explained));
}

#[test]
fn a_claim_is_refused_or_certified_and_what_is_proposed_is_what_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    clean_traffic(folder.path());
    is_refused(folder.path());
    is_certified(folder.path());
    is_used(folder.path());
}

#[test]
fn a_proposal_never_outlives_its_certificate_and_time_never_runs_backwards() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for line in [
        "simulate --hours 8 --seed 5 --devices 20 --observations flow --out day.parquet",
        "capture convert day.parquet --until 2025-12-12T03:00:00Z --out early.parquet",
        "capture convert day.parquet --from 2025-12-12T03:00:00Z --out late.parquet",
    ] {
        let args: Vec<&str> = line.split_whitespace().collect();
        let done = andon(folder, &args);
        assert!(done.status.success(), "{line}: {}", text(&done));
    }
    let tune = |captures: &str, out: &str| {
        let line = format!(
            "tune {captures} --inventory day.parquet.inventory.yaml --out {out} --target-fpr 0.1"
        );
        let args: Vec<&str> = line.split_whitespace().collect();
        andon(folder, &args)
    };
    let backwards = tune("late.parquet early.parquet", "back");
    assert_eq!(backwards.status.code(), Some(2), "{}", text(&backwards));
    let said = text(&backwards);
    assert!(
        said.contains("name them in the order of their time"),
        "{said}"
    );

    // What an earlier tuning proposed goes; what somebody else wrote stays.
    let profiles = folder.join("out/profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    std::fs::write(profiles.join("mine.yaml"), "mine").unwrap();
    let mine = tune("day.parquet", "out");
    assert_eq!(mine.status.code(), Some(2), "{}", text(&mine));
    assert!(profiles.join("mine.yaml").exists());
    std::fs::write(folder.join("out/tune.json"), "{}").unwrap();
    let refused = tune("day.parquet", "out");
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(!profiles.exists());
}

#[test]
fn what_cannot_be_tuned_on_is_refused_with_words() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("empty.ndjson"), "").unwrap();
    for (args, said) in [
        (&["tune", "-"][..], "standard input is not"),
        (&["tune", "none.ndjson"], "none.ndjson"),
        (&["tune", "empty.ndjson"], "holds no row of any device"),
        (
            &["tune", "empty.ndjson", "--target-fpr", "1.5"],
            "is not a share between 0 and 1",
        ),
        (
            &["tune", "empty.ndjson", "--confidence", "0"],
            "is not a share between 0 and 1",
        ),
    ] {
        let output = andon(folder, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(said), "{args:?}: {}", text(&output));
    }
}
