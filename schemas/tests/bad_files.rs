//! Every file in `bad_files/` is refused with exactly the text that stands beside it. After a
//! deliberate change of words run with `UPDATE_EXPECT=1` and read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use andon_schemas::inventory;
use andon_schemas::mapping;
use andon_schemas::profile::{self, SourceFile};

fn bad_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_files");
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}

/// What is said about a bad file.
fn told(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("it can be read");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = SourceFile {
        path: &name,
        text: &text,
    };
    let problems = if name.starts_with("inventory_") {
        inventory::parse(file).err()
    } else if name.starts_with("mapping_") {
        mapping::parse(file).err()
    } else {
        profile::parse(&[file], &["off_hours", "scan"]).err()
    };
    format!("{}\n", problems.expect("a bad file is refused"))
}

#[test]
fn bad_files_explain_themselves() {
    let files = bad_files();
    assert!(files.len() >= 8);
    for path in files {
        let told = told(&path);
        let beside = path.with_extension("txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&beside, &told).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(told, expected, "{}", path.display());
    }
}

#[test]
fn every_problem_has_a_place_and_follows_the_grammar() {
    for path in bad_files() {
        for line in told(&path).lines().skip(1) {
            if let Some(hint) = line.trim_start().strip_prefix("hint: ") {
                assert!(hint.ends_with(['.', '?']), "a hint is a sentence: {hint}");
            } else {
                assert!(!line.ends_with('.'), "a cause has no full stop: {line}");
                let place = line.split_whitespace().next().unwrap();
                let numbers = place.split(':').filter(|part| part.parse::<u32>().is_ok());
                assert_eq!(numbers.count(), 2, "{line}");
            }
        }
    }
}
