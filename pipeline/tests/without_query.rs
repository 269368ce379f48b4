//! A build without SQL knows the command and says how to get it.
#![cfg(not(feature = "query"))]

mod plant;

#[test]
fn it_says_how_to_get_it() {
    let output = plant::andon().args(["query", "SELECT 1"]).output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("--features query"), "{told}");
}
