//! The shape of the project, read from its own files: which crate may use which, what the pure
//! crates must not touch, how the engine's stages know each other, and that the catalogue of
//! detectors, the README and the profiles speak of the same detectors.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test that calls them"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use andon::readme;
use andon::setting;
use andon_detectors::catalog::CATALOG;
use andon_schemas::profile;

/// Which crates of ours a crate may use, from the ground up. Nobody may use one of no row.
const ARROWS: &[(&str, &[&str])] = &[
    ("andon-schemas", &[]),
    ("andon-detectors", &["andon-schemas"]),
    ("andon-respond", &["andon-schemas"]),
    ("andon-simulator", &["andon-schemas"]),
    ("andon-ingest", &["andon-schemas"]),
    ("andon-emit", &["andon-schemas"]),
    ("andon-console", &["andon-schemas"]),
    ("andon-engine", &["andon-schemas", "andon-detectors"]),
    (
        "andon-lab",
        &[
            "andon-schemas",
            "andon-detectors",
            "andon-engine",
            "andon-simulator",
            "andon-ingest",
            "andon-emit",
        ],
    ),
];

/// The wiring, and what measures everything: they may use all.
const TOPS: &[&str] = &["andon", "andon-benches"];

/// Crates without a clock, without I/O, without luck.
const PURE: &[&str] = &[
    "schemas",
    "detectors",
    "pipeline/engine",
    "pipeline/respond",
];

/// Pure as well, but its examples write files.
const SIMULATOR: &str = "pipeline/simulator";

/// Most lines of a source file, tests included.
const LINES_MAX: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn manifest(folder: &Path) -> toml::Table {
    let path = folder.join("Cargo.toml");
    fs::read_to_string(&path)
        .unwrap()
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Folders of all crates of the workspace.
fn members() -> Vec<PathBuf> {
    let workspace = manifest(&root());
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members
        .iter()
        .map(|member| root().join(member.as_str().unwrap()))
        .collect()
}

fn name(manifest: &toml::Table) -> &str {
    manifest["package"]["name"].as_str().unwrap()
}

/// What a crate is built from; what only its tests use is left out.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    ["dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(|section| section.keys().cloned())
        .collect()
}

/// Every Rust file below a folder, in order.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_ours = !path.ends_with("target") && !path.ends_with(".git");
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{} holds no sources", folder.display());
    found
}

/// The code of a file: its lines without comments that stand alone.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn dependency_arrows_run_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut ours = 0;
    for folder in members() {
        let manifest = manifest(&folder);
        let name = name(&manifest);
        if TOPS.contains(&name) {
            continue;
        }
        let Some(allowed) = allowed.get(name) else {
            panic!("crate `{name}` has no place in the order of crates");
        };
        for used in dependencies(&manifest) {
            let is_ours = used.starts_with("andon");
            ours += usize::from(is_ours);
            if is_ours && !allowed.contains(&&*used) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(ours >= 6, "only {ours} arrows were found");
    assert_none(&wrong, "these arrows point upwards");
}

#[test]
fn pure_crates_name_no_runtime_no_clock_and_no_file() {
    let crates = [
        "tokio",
        "rumqttc",
        "rdkafka",
        "datafusion",
        "zstd",
        "flate2",
        "mio",
        "rand",
    ];
    let words = [
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "Zoned::now",
        "tokio::",
        "std::fs",
        "std::process",
        "std::env",
        "std::thread",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "thread_rng",
        "RandomState",
        "getrandom",
    ];
    let mut wrong = Vec::new();
    for folder in PURE.iter().chain([&SIMULATOR]) {
        for used in dependencies(&manifest(&root().join(folder))) {
            if crates.contains(&&*used) {
                wrong.push(format!("{folder} uses {used}"));
            }
        }
        for path in sources(&root().join(folder).join("src")) {
            // What only tests use may touch the disk.
            let code = code(&path);
            let code = code.split("#[cfg(test)]").next().unwrap();
            let is_test = path.components().any(|part| part.as_os_str() == "tests")
                || path
                    .file_stem()
                    .is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
            for word in words
                .iter()
                .filter(|word| !is_test && code.contains(**word))
            {
                wrong.push(format!("{} says {word}", path.display()));
            }
        }
    }
    assert_none(&wrong, "a pure crate must not");
}

#[test]
fn every_file_says_what_it_is_and_none_is_long() {
    let mut silent = Vec::new();
    let mut long = Vec::new();
    for path in sources(&root()) {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root()).unwrap().display().to_string();
        if !text.starts_with("//! ") {
            silent.push(path.clone());
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            long.push(format!("{path}: {lines} lines"));
        }
    }
    assert_none(&silent, "these files do not begin with `//!`");
    assert_none(
        &long,
        &format!("these files have more than {LINES_MAX} lines"),
    );
}

/// The engine's stages, and which others each hands on to, as the engine's root draws it. What is in
/// no row is a noun that they share, or `engine`, which names them all.
const STAGES: &[(&str, &[&str])] = &[
    ("tick", &[]),
    ("feed", &["tick"]),
    ("flows", &[]),
    ("names", &[]),
    ("count", &["flows"]),
    ("look", &["count", "sign"]),
    ("close", &["count", "sign"]),
    ("judge", &[]),
    ("sign", &["judge"]),
];

/// Modules of the crate that a file names: what follows `crate::`, one by one or in braces.
fn named(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut named = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((list, _)) => named.extend(list.split(',').map(word)),
            None => drop(named.insert(word(rest))),
        }
    }
    named
}

#[test]
fn stages_of_the_engine_do_not_reach_for_each_other() {
    let src = root().join("pipeline/engine/src");
    let stages: BTreeSet<&str> = STAGES.iter().map(|(stage, _)| *stage).collect();
    let mut wrong = Vec::new();
    for (stage, allowed) in STAGES {
        let file = src.join(format!("{stage}.rs"));
        let files = if file.is_file() {
            vec![file]
        } else {
            sources(&src.join(stage))
        };
        for path in files {
            if path.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            for other in named(&code(&path)) {
                let is_stage = other != *stage && stages.contains(&*other);
                if is_stage && !allowed.contains(&&*other) {
                    wrong.push(format!("{stage} names {other}, in {}", path.display()));
                }
            }
        }
    }
    assert_none(&wrong, "stages share nouns and reach for no other stage");
}

#[test]
fn imports_are_found_however_they_are_written() {
    let code =
        "use crate::judge::{Case, Sighting};\nuse crate::{hex, plant::Plant};\ncrate::look()";
    let found: Vec<String> = named(code).into_iter().collect();
    assert_eq!(found, ["hex", "judge", "look", "plant"]);
}

/// `UPDATE_README=1` writes the table instead of comparing it.
#[test]
fn the_readme_lists_the_detectors_of_the_catalogue() {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let expected = readme::with_detector_table(&text).expect("the README has both markers");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, expected).unwrap();
    } else {
        assert!(
            text == expected,
            "the detectors of the README are not those of the catalogue; \
             `UPDATE_README=1 cargo test -p andon --test architecture` writes them anew"
        );
    }
}

/// Whether a profile may set this detector.
fn is_accepted(detector: &str, setting: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pump.yaml");
    let text = format!(
        "profile: pump\nversion: \"1\"\ndestinations: [10.1.2.3]\nprotocols: [modbus]\n\
         volume_per_hour: 1-2 MB\nactive_hours: always\ndetectors:\n  {detector}: {setting}\n"
    );
    fs::write(&path, text).unwrap();
    match setting::profiles(&[path]) {
        Ok(_) => true,
        Err(problems) => {
            let problems = format!("{problems:#}");
            assert!(problems.contains("no detector has the name"), "{problems}");
            false
        }
    }
}

#[test]
fn profiles_can_set_the_detectors_of_the_catalogue_and_no_others() {
    for entry in CATALOG {
        for setting in ["off", "on", "{ grade: HIGH }"] {
            assert!(
                is_accepted(entry.name, setting),
                "{}: {setting}",
                entry.name
            );
        }
        for other in [
            format!("{}s", entry.name),
            entry.name.replace('_', "-") + "-x",
        ] {
            assert!(!is_accepted(&other, "off"), "{other}");
        }
    }
}

#[test]
fn detectors_read_sections_that_profiles_have() {
    let schema = serde_json::to_value(profile::json_schema()).unwrap();
    let sections = schema["properties"].as_object().unwrap();
    for entry in CATALOG {
        // A dash stands for the inventory alone.
        for section in entry.reads.split(", ").filter(|section| *section != "–") {
            assert!(
                sections.contains_key(section),
                "{} reads `{section}`",
                entry.name
            );
        }
    }
}

#[test]
fn detectors_are_listed_in_order_and_once() {
    let names: Vec<&str> = CATALOG.iter().map(|entry| entry.name).collect();
    let ordered: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names, ordered.into_iter().collect::<Vec<_>>());
    let files: BTreeSet<String> = fs::read_dir(root().join("detectors/src/catalog"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|stem| stem != "mod")
        .collect();
    assert_eq!(files, names.iter().map(|name| (*name).to_owned()).collect());
}
