//! Everything that is wrong with a file that a person wrote, all at once: place, cause and hint.
//!
//! Reading a profile or an inventory never stops at the first mistake; it collects them here.

use std::fmt;

use serde::Serialize;

/// Problems listed per file; what lies beyond is summed up in one last entry.
pub(crate) const LISTED_MAX: usize = 100;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Path of the file as it was given.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Where in the structure: `destinations[2].share`; empty for the file as a whole.
    pub path: String,
    /// What is wrong: lower case, no full stop.
    pub cause: String,
    /// What to do about it, in sentences.
    pub hint: Option<String>,
}

/// Every problem of one or more files, ordered by file and place; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Orders the problems and drops repeats (a mistake in a base is met once per child).
    /// `None` if there are none.
    pub(crate) fn of(mut found: Vec<Problem>) -> Option<Self> {
        found.sort();
        found.dedup();
        (!found.is_empty()).then_some(Self(found))
    }

    /// A single problem with a file as a whole, for instance that it cannot be opened.
    #[must_use]
    pub fn with_file(file: &str, cause: &str, hint: Option<&str>) -> Self {
        Self(vec![Problem {
            file: file.to_owned(),
            line: 1,
            column: 1,
            path: String::new(),
            cause: cause.to_owned(),
            hint: hint.map(str::to_owned),
        }])
    }

    /// Joins the problems of other files.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.0.sort();
        self.0.dedup();
        self
    }

    /// The problems, ordered by file and place.
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    /// One block per file, without a final line break:
    ///
    /// ```text
    /// profiles/x.yaml cannot be used: 2 problems
    ///   14:1  protocls             unknown key `protocls`
    ///         hint: Did you mean `protocols`?
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = self.0.chunk_by(|a, b| a.file == b.file);
        for (at, block) in blocks.enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write_block(f, block)?;
        }
        Ok(())
    }
}

fn write_block(f: &mut fmt::Formatter<'_>, block: &[Problem]) -> fmt::Result {
    let listed = &block[..block.len().min(LISTED_MAX)];
    let count = block.len();
    let plural = if count == 1 { "" } else { "s" };
    let file = &block[0].file;
    write!(f, "{file} cannot be used: {count} problem{plural}")?;
    let place = |p: &Problem| format!("{}:{}", p.line, p.column);
    let place_width = listed.iter().map(|p| place(p).len()).max().unwrap_or(0);
    let path_width = listed.iter().map(|p| p.path.chars().count()).max();
    let path_width = path_width.unwrap_or(0).min(32);
    let indent = place_width.max(4) + 4;
    for problem in listed {
        let place = place(problem);
        let width = place_width.max(4);
        write!(f, "\n  {place:>width$}  ")?;
        if path_width > 0 {
            write!(f, "{:path_width$}  ", problem.path)?;
        }
        write!(f, "{}", problem.cause)?;
        if let Some(hint) = &problem.hint {
            write!(f, "\n{:indent$}hint: {hint}", "")?;
        }
    }
    if count > listed.len() {
        write!(f, "\n  and {} more", count - listed.len())?;
    }
    Ok(())
}

impl std::error::Error for Problems {}

/// Why a written value is refused, before it is known where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong: lower case, no full stop.
    pub cause: String,
    /// What to do about it, in sentences.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal without a hint.
    pub(crate) fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hint: None,
        }
    }

    /// The same refusal with a hint.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// A written value in backquotes, cut where it is too long to be read.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().count() <= SHOWN {
        return format!("`{}`", text.escape_debug());
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("`{}…`", start.escape_debug())
}

/// `Did you mean …?` if one of the known words is close, else the list of them if it is short.
pub fn suggestion<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // A word longer than any that is known is no slip of the pen; comparing it costs its square.
    if written.len() > 64 {
        return None;
    }
    let known: Vec<&str> = known.into_iter().collect();
    let folded = written.to_lowercase();
    let nearest = known
        .iter()
        .map(|word| {
            (
                strsim::damerau_levenshtein(&folded, &word.to_lowercase()),
                *word,
            )
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, word)| *distance <= 1 + word.chars().count() / 4);
    match nearest {
        Some((_, word)) => Some(format!("Did you mean `{word}`?")),
        None if known.is_empty() || known.len() > 24 => None,
        None => Some(format!("Known: {}.", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: u32, path: &str, cause: &str, hint: Option<&str>) -> Problem {
        Problem {
            file: "profiles/x.yaml".to_owned(),
            line,
            column: 1,
            path: path.to_owned(),
            cause: cause.to_owned(),
            hint: hint.map(str::to_owned),
        }
    }

    #[test]
    fn problems_are_listed_in_order_with_their_hints() {
        let problems = Problems::of(vec![
            problem(
                14,
                "protocls",
                "unknown key `protocls`",
                Some("Did you mean it?"),
            ),
            problem(9, "silence", "`5` has no unit", None),
            problem(9, "silence", "`5` has no unit", None),
        ])
        .unwrap();
        assert_eq!(
            problems.to_string(),
            "profiles/x.yaml cannot be used: 2 problems\n   9:1  silence   `5` has no unit\n  \
             14:1  protocls  unknown key `protocls`\n        hint: Did you mean it?"
        );
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_a_foreign_word_is_not() {
        let known = ["protocols", "profile", "clients"];
        assert_eq!(
            suggestion("protocls", known).as_deref(),
            Some("Did you mean `protocols`?")
        );
        assert_eq!(
            suggestion("weather", known).as_deref(),
            Some("Known: protocols, profile, clients.")
        );
    }
}
