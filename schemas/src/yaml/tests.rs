//! The tree keeps places and paths; what could multiply or never end is refused.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    nodes: 100_000,
    depth: 16,
};

fn problems_of(text: &str) -> String {
    let mut report = Report::default();
    load("x.yaml", text, LIMITS, &mut report);
    report.finish(()).unwrap_err().to_string()
}

#[test]
fn every_value_knows_its_place_and_path() {
    let mut report = Report::default();
    let text = "a: 1\nlist:\n  - { name: x, share: 4 % }\n  - y\n";
    let tree = load("x.yaml", text, LIMITS, &mut report).unwrap();
    let share = tree.top().get("list").unwrap().items()[0]
        .get("share")
        .unwrap();
    assert_eq!(share.scalar(), Some("4 %"));
    assert_eq!(share.path(), "list[0].share");
    assert_eq!(
        share.place(),
        Place {
            line: 3,
            column: 23
        }
    );
    assert_eq!(
        share.key_place(),
        Place {
            line: 3,
            column: 16
        }
    );
    assert!(report.finish(()).is_ok());
}

#[test]
fn duplicate_keys_are_refused_where_they_repeat() {
    let text = problems_of("a: 1\nb: 2\na: 3\na: 4\n");
    assert!(text.contains("2 problems"), "{text}");
    assert!(text.contains("3:1  key `a` is written twice"), "{text}");
}

#[test]
fn anchors_aliases_merges_and_second_documents_are_refused() {
    assert!(problems_of("a: &x 1\nb: *x\n").contains("anchors and aliases"));
    assert!(problems_of("<<: { a: 1 }\n").contains("merge keys"));
    assert!(problems_of("a: 1\n---\nb: 2\n").contains("second document"));
    assert!(problems_of("? [a]\n: b\n").contains("a key must be a word"));
    assert!(problems_of("a: !secret b\n").contains("tag"));
    assert!(problems_of("").contains("empty"));
    assert!(problems_of("a: [1, 2\n").contains("not valid YAML"));
}

#[test]
fn depth_size_and_nodes_are_bounded() {
    assert!(problems_of(&"- ".repeat(50_000)).contains("nested deeper"));
    // The scanner looks ahead inside brackets and stops by itself.
    assert!(problems_of(&"[".repeat(500_000)).contains("recursion limit exceeded"));
    assert!(problems_of(&"{a: ".repeat(100_000)).contains("recursion limit exceeded"));
    assert!(problems_of(&"[".repeat(20)).contains("nested deeper than 16 levels"));
    assert!(problems_of(&"- 1\n".repeat(200_000)).contains("more than 100000 values"));
    assert!(problems_of(&" ".repeat((1 << 20) + 1)).contains("has 1048577 bytes"));
    assert!(problems_of(&format!("{}: 1", "k".repeat(500))).contains("too long"));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let mut report = Report::default();
        load("x.yaml", &text, LIMITS, &mut report);
    }

    #[test]
    fn yaml_like_text_never_panics(
        text in "([ \\-\\[\\]{}:,#&*!|>'\"%@`?~<\\n\\t\\r\u{feff}\u{85}\u{2028}]|[a-c0-2]){0,300}"
    ) {
        let mut report = Report::default();
        load("x.yaml", &text, LIMITS, &mut report);
    }
}
