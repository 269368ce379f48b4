//! Two texts line by line.

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// What differs, as a unified diff with its header; empty if nothing does.
pub fn unified(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (
        before.split_inclusive('\n').collect(),
        after.split_inclusive('\n').collect(),
    );
    let mut text = format!("--- a/{name}\n+++ b/{name}\n");
    let found = hunks(&old, &new);
    let near = |one: &Hunk, next: &Hunk| next.old.0 <= one.old.1 + 2 * CONTEXT;
    for changes in found.chunk_by(near) {
        text.push_str(&group(&old, &new, changes));
    }
    text
}

/// Lines `old.0..old.1` become `new.0..new.1`.
#[derive(Clone, Copy)]
struct Hunk {
    old: (usize, usize),
    new: (usize, usize),
}

/// Walks both texts at once; where they part, the nearest place at which they meet again is looked
/// for. What was only added is found at once, and nothing here grows with the square of a file.
fn hunks(old: &[&str], new: &[&str]) -> Vec<Hunk> {
    const AHEAD: usize = 64;
    let (mut i, mut j) = (0, 0);
    let mut found = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let meets = |a: usize, b: usize| match (old.get(i + a), new.get(j + b)) {
            (Some(one), Some(other)) => one == other,
            (None, None) => true,
            _ => false,
        };
        let step = (1..AHEAD).find_map(|sum| {
            let mut splits = (0..=sum).map(|a| (a, sum - a));
            splits.find(|(a, b)| i + a <= old.len() && j + b <= new.len() && meets(*a, *b))
        });
        let (a, b) = step.unwrap_or((old.len() - i, new.len() - j));
        found.push(Hunk {
            old: (i, i + a),
            new: (j, j + b),
        });
        (i, j) = (i + a, j + b);
    }
    found
}

/// Changes so near each other that their context touches, as one hunk.
fn group(old: &[&str], new: &[&str], changes: &[Hunk]) -> String {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
        return String::new();
    };
    let from = first.old.0.saturating_sub(CONTEXT);
    let to = (last.old.1 + CONTEXT).min(old.len());
    let moved = first.new.0 + from - first.old.0;
    let mut lines = Vec::new();
    let (mut kept, mut removed, mut added) = (0, 0, 0);
    let mut put =
        |mark: char, line: &str| lines.push(format!("{mark}{}\n", line.trim_end_matches('\n')));
    let mut at = from;
    for change in changes {
        old[at..change.old.0].iter().for_each(|line| put(' ', line));
        old[change.old.0..change.old.1]
            .iter()
            .for_each(|line| put('-', line));
        new[change.new.0..change.new.1]
            .iter()
            .for_each(|line| put('+', line));
        kept += change.old.0 - at;
        removed += change.old.1 - change.old.0;
        added += change.new.1 - change.new.0;
        at = change.old.1;
    }
    old[at..to].iter().for_each(|line| put(' ', line));
    kept += to - at;
    let (was, is) = (kept + removed, kept + added);
    format!(
        "@@ -{},{was} +{},{is} @@\n{}",
        from + 1,
        moved + 1,
        lines.concat()
    )
}
