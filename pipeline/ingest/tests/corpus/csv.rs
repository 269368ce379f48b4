//! Real CSV: flows of Argus, a mill, plug meters, each with the mapping that is shipped.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use andon_ingest::files::{OpenOptions, open};
use andon_schemas::mapping::parse;
use andon_schemas::profile::SourceFile;

use super::{AS_OF, Outcome, corpus, drain};

fn read_with(path: &Path, mapping: &str, change: impl Fn(String) -> String) -> Outcome {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/mappings");
    let text = change(fs::read_to_string(shipped.join(mapping)).unwrap());
    let file = SourceFile {
        path: mapping,
        text: &text,
    };
    let mapping = Arc::new(parse(file).unwrap());
    let options = OpenOptions::as_of(AS_OF).with_mapping(Some(mapping));
    drain(open(&[path.to_owned()], options).unwrap())
}

/// Lines below the header.
fn rows_of(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().lines().count() - 1
}

#[test]
fn argus_flows_are_read_with_the_mapping_that_is_shipped() {
    let Some(folder) = corpus("01-slips-test-dataset/dataset") else {
        return;
    };
    // Of the last, a report of Argus itself and a frame without addresses are no flows.
    for (file, records, rejects) in [
        ("test2-malicious.binetflow", 6_751, 0),
        ("test3-mixed.binetflow", 89, 0),
        ("test4-malicious.binetflow", 394, 0),
        ("test11-portscan.binetflow", 66, 0),
        ("test5-mixed.binetflow", 298, 2),
    ] {
        let is_tabbed = file.starts_with("test5");
        let outcome = read_with(&folder.join(file), "argus.map.yaml", |text| {
            if is_tabbed {
                text.replace("delimiter: \",\"", "delimiter: tab")
            } else {
                text
            }
        });
        let counts = (outcome.records.len(), outcome.rejects.len());
        assert_eq!(
            counts,
            (records, rejects),
            "{file}: {:?}",
            outcome.reasons()
        );
    }
}

#[test]
fn the_mill_and_the_meters_are_read_whole() {
    let Some(mill) = corpus("06-cnc-mill") else {
        return;
    };
    for run in 1..=12 {
        let path = mill.join(format!("experiment_{run:02}.csv"));
        let outcome = read_with(&path, "cnc-mill.map.yaml", |text| text);
        assert_eq!(outcome.records.len(), rows_of(&path), "{run}");
    }
    let Some(power) = corpus("07-power-hours") else {
        return;
    };
    for meter in [
        "coffeemaker__Coffeemaker_dev_735E9D.csv",
        "router__Router_dev_B7DF9D.csv",
    ] {
        let path = power.join(meter);
        let outcome = read_with(&path, "power-meter.map.yaml", |text| text);
        assert_eq!(outcome.records.len(), rows_of(&path), "{meter}");
    }
}
