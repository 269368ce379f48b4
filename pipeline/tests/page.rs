//! The page in a real browser, at a real demo and at a real run: every view, wide and narrow, light
//! and dark, by mouse and by keyboard; what becomes of an observation without a reload; and a decision
//! from the click to the issued command. What is looked at stands in `console/page/tests/browser`.
//! Says that it was skipped where Chromium, Node.js or the page's packages are missing;
//! `ANDON_BROWSER=1` demands them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod broker;
mod plant;
mod watched;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use andon_schemas::{builtin, hex};
use sha2::{Digest as _, Sha256};
use watched::Watched;

/// What Chromium may be called.
const BROWSERS: [&str; 5] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// The profiles of the product.
const PROFILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../profiles");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/console/page");
/// Where pictures for people go.
const SHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/page-shots");

/// Whether all that a look at the page needs is there.
fn can_look() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here = |name: &str| std::env::split_paths(&path).any(|at| at.join(name).is_file());
    let lacks = if !BROWSERS.iter().any(|name| is_here(name)) {
        "there is no Chromium"
    } else if !is_here("node") {
        "there is no Node.js"
    } else if !Path::new(PAGE)
        .join("node_modules/playwright-core")
        .is_dir()
    {
        "the page's packages are not installed, which `pipeline/console/page/check` does"
    } else {
        return true;
    };
    assert!(
        std::env::var_os("ANDON_BROWSER").is_none_or(|value| value != "1"),
        "ANDON_BROWSER asks for the tests in a browser: {lacks}"
    );
    eprintln!("skipped: {lacks}");
    false
}

/// Runs the tests of a folder below `console/page/tests/browser`.
fn look(folder: &str, told: &[(&str, &str)]) {
    let mut tests = Command::new(Path::new(PAGE).join("tests/run"));
    tests.arg(format!("browser/{folder}"));
    tests.env("PAGE_SHOTS", SHOTS);
    tests.envs(told.iter().copied());
    let output = tests.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in said.lines().filter(|line| line.contains("measured")) {
        eprintln!("{}", line.trim_start_matches(['#', ' ']));
    }
}

/// The address that a process says it is served on, without a path.
fn served(process: &mut Watched) -> String {
    let line = process.said("serving on");
    let (_, url) = line.split_once("http://").unwrap();
    format!("http://{}", url.split('/').next().unwrap())
}

#[test]
fn every_view_of_a_running_demo_holds_and_can_be_walked_by_keyboard() {
    if !can_look() {
        return;
    }
    let mut demo = plant::andon();
    demo.args(["demo", "--headless", "--speed", "100"]);
    demo.args(["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"]);
    let mut demo = Watched::start("demo", &mut demo);
    let url = served(&mut demo);
    look("demo", &[("PAGE_URL", &url)]);
}

#[test]
fn fifty_thousand_devices_that_never_rest_lose_no_change_on_the_page() {
    if can_look() {
        look("large", &[]);
    }
}

const HOSTILE: &str = "203.0.113.7";

/// A copy of the product's profiles, to be rewritten.
fn profiles(folder: &Path) -> PathBuf {
    let copies = folder.join("profiles");
    fs::create_dir(&copies).unwrap();
    for entry in fs::read_dir(PROFILES).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, copies.join(path.file_name().unwrap())).unwrap();
        }
    }
    copies
}

/// A run that enforces, of the built-in plant, with one enforcement point and a list of who is
/// hostile.
fn enforcing(folder: &Path) -> PathBuf {
    let inventory = folder.join("inventory.yaml");
    let enforcers = "\nenforcement:\n  enforcers:\n    - { id: fw-cnc, segments: [cnc-safety] }\n";
    fs::write(&inventory, builtin::INVENTORY.text.to_owned() + enforcers).unwrap();
    let indicators = folder.join("hostile.txt");
    fs::write(&indicators, format!("{HOSTILE}\n")).unwrap();
    let mut config = format!(
        "mode = \"enforce\"\ninventory = '{}'\nindicators = ['{}']\n",
        inventory.display(),
        indicators.display()
    );
    for (name, role) in [("zeek-01", "sensor"), ("fw-cnc", "enforcer")] {
        let digest = hex(&Sha256::digest(name.as_bytes()));
        write!(
            config,
            "[[mqtt.principals]]\nname = \"{name}\"\nrole = \"{role}\"\n\
             password_sha256 = \"{digest}\"\n"
        )
        .unwrap();
    }
    let path = folder.join("andon.toml");
    fs::write(&path, config).unwrap();
    path
}

#[test]
fn an_observation_turns_its_lamp_and_a_decision_is_clicked_through_to_an_issued_command() {
    let Some(publisher) = broker::tool("mosquitto_pub") else {
        eprintln!("skipped: the clients of Mosquitto are not installed");
        return;
    };
    if !can_look() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut run = plant::andon();
    run.args(["run", "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    run.arg("--config").arg(enforcing(folder.path()));
    let profiles = profiles(folder.path());
    run.arg("--profiles").arg(&profiles);
    run.arg("--data").arg(&data);
    let mut run = Watched::start("run", &mut run);
    let said = run.wait_for("mqtt://");
    let port = said.rsplit(':').next().unwrap();
    let url = served(&mut run);
    let token = fs::read_to_string(data.join("operator.token")).unwrap();
    look(
        "run",
        &[
            ("PAGE_URL", &url),
            ("PAGE_TOKEN", token.trim()),
            ("PAGE_MQTT", port),
            ("PAGE_PUBLISHER", &publisher.to_string_lossy()),
            ("PAGE_HOSTILE", HOSTILE),
            ("PAGE_PROFILES", &profiles.to_string_lossy()),
            ("PAGE_PID", &run.id().to_string()),
        ],
    );
    assert!(run.terminate().success());
}
