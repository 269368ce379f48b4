//! A build without SQL, a cluster or object stores knows what is asked for and says how to get it.
#![cfg(not(feature = "query"))]

mod plant;

/// What a command complains of; it must be the user's to change.
fn complaint(args: &[&str]) -> String {
    let output = plant::andon().args(args).output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_says_how_to_get_it() {
    let told = complaint(&["query", "SELECT 1"]);
    assert!(told.contains("--features query"), "{told}");
}

#[test]
fn it_says_how_to_get_a_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    let capture = plant::simulate(folder.path(), "1", "100", &[]);
    let capture = capture.to_string_lossy();
    for args in [
        &["cluster", "scheduler"][..],
        &["cluster", "executor"],
        &["backtest", &capture, "--cluster", "127.0.0.1:1"],
    ] {
        let told = complaint(args);
        assert!(told.contains("--features cluster"), "{told}");
    }
}

#[cfg(not(feature = "object-store"))]
#[test]
fn it_says_how_to_get_object_stores() {
    for args in [
        &["backtest", "s3://plant/month/"][..],
        &["learn", "s3://plant/month/"],
        &["capture", "convert", "s3://plant/a", "--out", "a.ndjson"],
    ] {
        let told = complaint(args);
        assert!(told.contains("--features object-store"), "{told}");
        assert!(told.contains("s3://plant/"), "{told}");
    }
}
