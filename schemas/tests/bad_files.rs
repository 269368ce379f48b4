//! Every file in `bad_files/` is refused with exactly the text that stands beside it. After a
//! deliberate change of words run with `UPDATE_EXPECT=1` and read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use andon_schemas::inventory;
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

#[test]
fn bad_files_explain_themselves() {
    let files = bad_files();
    assert!(files.len() >= 8);
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let file = SourceFile {
            path: &name,
            text: &text,
        };
        let problems = if name.starts_with("inventory_") {
            inventory::parse(file).map(|_| ()).unwrap_err()
        } else {
            profile::parse(&[file], &["off_hours", "scan"])
                .map(|_| ())
                .unwrap_err()
        };
        let told = format!("{problems}\n");
        let beside = path.with_extension("txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&beside, &told).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap();
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn every_problem_has_a_place_and_follows_the_grammar() {
    for path in bad_files() {
        let told = fs::read_to_string(path.with_extension("txt")).unwrap();
        for line in told.lines().skip(1) {
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
