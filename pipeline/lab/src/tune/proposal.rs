//! What tuning proposes, as changes to the files that people wrote: comments and order stay, and
//! only the lines of two keys are others.

use andon_schemas::profile::Profile;

/// A file of a profile, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file after it.
    pub text: String,
    /// What changed, as a unified diff without its header.
    pub diff: String,
}

/// A piece of a file: lines `from..to` are replaced.
struct Patch {
    from: usize,
    to: usize,
    lines: Vec<String>,
}

/// Writes what tuning changed in `tuned` into the text that `before` was read from. `own_volume`
/// writes the volume out even if it did not change: what it was inherited from did.
pub fn edit(text: &str, before: &Profile, tuned: &Profile, own_volume: bool) -> Edit {
    // Line ends stay what they are: a carriage return is part of its line.
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    let end = if text.contains("\r\n") { "\r" } else { "" };
    let mut patches = Vec::new();
    if (own_volume || before.volume != tuned.volume)
        && let Some(volume) = &tuned.volume
    {
        patches.push(patch(&lines, "volume_per_hour", &volume.to_text(), end));
    }
    if before.calibration != tuned.calibration
        && let Some(calibration) = &tuned.calibration
    {
        patches.push(patch(&lines, "calibration", &calibration.to_text(), end));
    }
    patches.sort_by_key(|patch| patch.from);
    Edit {
        text: applied(&lines, &patches),
        diff: diff(&lines, &patches),
    }
}

/// Replaces a top-level key with its whole block; a key that is not there comes last. A comment at
/// the end of its line stays.
fn patch(lines: &[&str], key: &str, value: &str, end: &str) -> Patch {
    let is_key = |line: &&str| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.starts_with(':'))
    };
    let Some(from) = lines.iter().position(is_key) else {
        return Patch {
            from: lines.len(),
            to: lines.len(),
            lines: vec![format!("{key}: {value}{end}")],
        };
    };
    let is_within = |line: &&&str| line.starts_with([' ', '\t', '-', '}', ']']);
    let to = from + 1 + lines[from + 1..].iter().take_while(is_within).count();
    let comment = lines[from].find(" #").map_or(end, |at| &lines[from][at..]);
    Patch {
        from,
        to,
        lines: vec![format!("{key}: {value}{comment}")],
    }
}

fn applied(lines: &[&str], patches: &[Patch]) -> String {
    let mut text = String::new();
    let mut add = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    let mut at = 0;
    for patch in patches {
        lines[at..patch.from].iter().for_each(|line| add(line));
        patch.lines.iter().for_each(|line| add(line));
        at = patch.to;
    }
    lines[at..].iter().for_each(|line| add(line));
    text
}

/// Lines of context around a change.
const CONTEXT: usize = 2;

fn diff(lines: &[&str], patches: &[Patch]) -> String {
    let mut text: Vec<String> = Vec::new();
    let mut moved = 0_isize;
    for patch in patches {
        let (first, last) = (
            patch.from.saturating_sub(CONTEXT),
            (patch.to + CONTEXT).min(lines.len()),
        );
        let (removed, added) = (patch.to - patch.from, patch.lines.len());
        let kept = last - first - removed;
        text.push(format!(
            "@@ -{},{} +{},{} @@\n",
            first + 1,
            kept + removed,
            (first + 1).saturating_add_signed(moved),
            kept + added
        ));
        let mut put = |mark: char, line: &str| text.push(format!("{mark}{line}\n"));
        lines[first..patch.from]
            .iter()
            .for_each(|line| put(' ', line));
        lines[patch.from..patch.to]
            .iter()
            .for_each(|line| put('-', line));
        patch.lines.iter().for_each(|line| put('+', line));
        lines[patch.to..last].iter().for_each(|line| put(' ', line));
        moved += added.cast_signed() - removed.cast_signed();
    }
    text.concat()
}

#[cfg(test)]
mod tests {
    use andon_schemas::profile::{SourceFile, parse};

    use super::*;
    use crate::tune::path::{Certified, Setting};

    const FILE: &str = "# The press.
profile: press
version: \"1\"

# Bytes an hour.
volume_per_hour: 50-150 MB # both ways
active_hours: 06:00-22:00
cadence:
  size: 2 KB
  every: 5 s
";

    fn profile(text: &str) -> Profile {
        let file = SourceFile {
            path: "press.yaml",
            text,
        };
        parse(&[file], &[]).unwrap().get("press").unwrap().clone()
    }

    fn tuned(before: &Profile) -> Profile {
        let setting = Setting {
            rule: 1e-4,
            evidence: 1e-5,
        };
        let claim = Certified {
            device_hours: 3_000,
            target: 1e-3,
            confidence: 0.95,
        };
        setting.apply(before, claim)
    }

    #[test]
    fn two_lines_change_and_the_comments_stay() {
        let before = profile(FILE);
        let tuned = tuned(&before);
        let edit = edit(FILE, &before, &tuned, false);
        assert_eq!(profile(&edit.text).hash, tuned.hash);
        assert!(edit.text.contains("multiple: ") && edit.text.contains("} # both ways\n"));
        assert!(
            edit.text.starts_with("# The press.\n")
                && edit.text.contains("  every: 5 s\ncalibration: {")
        );
        let changed = |mark| {
            edit.diff
                .lines()
                .filter(|line| line.starts_with(mark))
                .count()
        };
        assert_eq!((changed('-'), changed('+'), changed('@')), (1, 2, 2));
    }

    #[test]
    fn what_was_tuned_before_is_replaced_and_a_block_goes_as_a_whole() {
        let block = FILE.replace(
            "volume_per_hour: 50-150 MB # both ways",
            "volume_per_hour:\n  range: 50-150 MB\n  multiple: 4",
        );
        let before = profile(&block);
        let first = tuned(&before);
        let once = edit(&block, &before, &first, false);
        assert_eq!(profile(&once.text).hash, first.hash);
        assert!(!once.text.contains("multiple: 4\n"));
        let mut again = profile(&once.text);
        let calibration = again.calibration.as_mut().unwrap();
        calibration.discount = 2.0;
        again.hash = again.content_hash();
        let twice = edit(&once.text, &profile(&once.text), &again, false);
        assert_eq!(profile(&twice.text).hash, again.hash);
        assert_eq!(twice.text.matches("calibration:").count(), 1);
    }

    #[test]
    fn line_ends_stay_what_they_are() {
        let windows = FILE.replace('\n', "\r\n");
        let before = profile(&windows);
        let tuned = tuned(&before);
        let edit = edit(&windows, &before, &tuned, false);
        assert_eq!(profile(&edit.text).hash, tuned.hash);
        let ends = |text: &str| (text.matches("\r\n").count(), text.matches('\n').count());
        let (windows, all) = ends(&edit.text);
        assert_eq!(windows, all, "{:?}", edit.text);
    }

    #[test]
    fn nothing_changes_where_nothing_did_unless_it_is_written_out() {
        let before = profile(FILE);
        let none = edit(FILE, &before, &before, false);
        assert_eq!((none.text.as_str(), none.diff.as_str()), (FILE, ""));
        let out = edit(FILE, &before, &before, true);
        assert_eq!(profile(&out.text).hash, before.hash);
    }
}
