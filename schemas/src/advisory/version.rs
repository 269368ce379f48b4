//! Versions as vendors write them, and which of two is the newer one, where that can be told.
//!
//! A version is read as groups: numbers between dots, then words with numbers of their own (`2.9.4`,
//! `V4.8 SP5`, `2.9.4-hf1`). The order is partial: a hotfix comes after its release and a release
//! candidate before it, but whether `SP5` or `HF6` of one release is the newer one is the vendor's
//! secret, and so is whether `5.4.5 build 160928` is what others call `5.4.5`, and every word that is
//! not known here. What cannot be compared is `None`.

use std::cmp::Ordering;

/// Longest version that is read, in bytes.
pub const VERSION_BYTES_MAX: usize = 128;
/// Most groups of a version: what has more is a sentence.
const GROUPS_MAX: usize = 8;

/// Words that stand before a number and say nothing.
const NOISE: &[&str] = &["v", "ver", "vers", "version", "versions", "firmware", "fw"];
/// A version that names a month is a date, and its numbers do not order as they stand.
const MONTHS: &[&str] = &[
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "sept",
    "oct",
    "nov",
    "dec",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// What begins a group.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// Nothing: the numbers at the beginning.
    Start,
    /// Something that comes before the release, by how early.
    Before(u8),
    /// A letter right behind the numbers, `1.02C`: one after another.
    Letter(u8),
    /// Something that is counted within the release, or after it.
    After(After),
    /// What only its vendor can order.
    Named(String),
}

/// What is counted within a release. Two different ones cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// A number behind a dash, a blank, a plus or in brackets: `2.1.1-2`.
    Dash,
    Build,
    Hotfix,
    Patch,
    Revision,
    ServicePack,
    Update,
}

impl After {
    /// Whether it comes out once the release is there; builds and revisions number the release too.
    const fn is_later(self) -> bool {
        match self {
            Self::Hotfix | Self::Patch | Self::ServicePack | Self::Update => true,
            Self::Dash | Self::Build | Self::Revision => false,
        }
    }
}

/// A word and its numbers, without leading zeros each, and without zeros at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    word: Word,
    numbers: Vec<String>,
}

/// A version that could be read.
#[derive(Clone, Debug)]
pub struct Version {
    text: String,
    groups: Vec<Group>,
    /// How many numbers stand before a final `x`, as in `11.x`.
    open_after: Option<usize>,
}

impl Version {
    /// Reads a version; `None` if it holds no number, or more than a version.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > VERSION_BYTES_MAX || !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut reading = Reading::default();
        let mut rest = text;
        while let Some(first) = rest.bytes().next() {
            let same = |byte: &u8| match first {
                b'0'..=b'9' => byte.is_ascii_digit(),
                b'a'..=b'z' | b'A'..=b'Z' => byte.is_ascii_alphabetic(),
                _ => false,
            };
            let length = rest.bytes().take_while(same).count().max(1);
            let (token, after) = rest.split_at_checked(length)?;
            match first {
                b'0'..=b'9' => reading.number(token)?,
                b'a'..=b'z' | b'A'..=b'Z' => reading.word(&token.to_ascii_lowercase(), after)?,
                b'.' | b' ' | b'_' | b'-' | b'+' | b'(' | b')' => reading.behind = first,
                _ => return None,
            }
            rest = after;
        }
        reading.end(text)
    }

    /// The version as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it stands for all that begin as it does: `11.x`.
    pub(super) const fn is_open(&self) -> bool {
        self.open_after.is_some()
    }

    /// Which is the newer one; `None` if that cannot be told.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        if self.is_open() || other.is_open() {
            return None;
        }
        let longest = self.groups.len().max(other.groups.len());
        for at in 0..longest {
            let order = match (self.groups.get(at), other.groups.get(at)) {
                (Some(ours), Some(theirs)) => ours.compare(theirs)?,
                (Some(more), None) => more.word.after_release()?,
                (None, Some(more)) => more.word.after_release()?.reverse(),
                (None, None) => Ordering::Equal,
            };
            if order != Ordering::Equal {
                return Some(order);
            }
        }
        Some(Ordering::Equal)
    }

    /// The same against a bound, which may be open at its end: all that begin as it does are equal
    /// to it.
    pub(super) fn compare_to_bound(&self, bound: &Self) -> Option<Ordering> {
        let Some(length) = bound.open_after else {
            return self.compare(bound);
        };
        let (ours, theirs) = (self.groups.first()?, bound.groups.first()?);
        if ours.word != theirs.word || bound.groups.len() > 1 || self.is_open() {
            return None;
        }
        let zero = String::new();
        for at in 0..length {
            let ours = ours.numbers.get(at).unwrap_or(&zero);
            let theirs = theirs.numbers.get(at).unwrap_or(&zero);
            match by_value(ours, theirs) {
                Ordering::Equal => {}
                order => return Some(order),
            }
        }
        Some(Ordering::Equal)
    }
}

/// What has been read of a version so far.
#[derive(Default)]
struct Reading {
    groups: Vec<Group>,
    /// The separator before what comes next; 0 for none.
    behind: u8,
    was_number: bool,
    open_after: Option<usize>,
}

impl Reading {
    fn group(&mut self, word: Word) -> Option<&mut Group> {
        if self.groups.len() >= GROUPS_MAX {
            return None;
        }
        let numbers = Vec::new();
        self.groups.push(Group { word, numbers });
        self.groups.last_mut()
    }

    fn number(&mut self, digits: &str) -> Option<()> {
        if self.open_after.is_some() {
            return None;
        }
        let goes_on = !self.was_number || self.behind == b'.';
        let group = match self.groups.last_mut() {
            Some(group) if goes_on => group,
            Some(_) => self.group(Word::After(After::Dash))?,
            None => self.group(Word::Start)?,
        };
        group
            .numbers
            .push(digits.trim_start_matches('0').to_owned());
        (self.behind, self.was_number) = (0, true);
        Some(())
    }

    fn word(&mut self, word: &str, rest: &str) -> Option<()> {
        if MONTHS.contains(&word) || self.open_after.is_some() {
            return None;
        }
        let number_follows = rest
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_digit());
        let follows_number = self.was_number && self.behind == 0;
        let any_follows = rest.bytes().any(|byte| byte.is_ascii_digit());
        if matches!(word, "x" | "xx") && self.was_number && self.behind == b'.' {
            if any_follows {
                return None;
            }
            self.open_after = self.groups.last().map(|group| group.numbers.len());
            return Some(());
        }
        if NOISE.contains(&word) && any_follows && !follows_number {
            // Behind a number begins another version.
            return (!self.was_number).then_some(());
        }
        let is_first = self.groups.is_empty();
        let word = match word {
            _ if is_first => Word::Named(word.to_owned()),
            _ if word.len() == 1 && follows_number && !number_follows => {
                Word::Letter(word.bytes().next()?)
            }
            _ => known(word),
        };
        self.group(word)?;
        (self.behind, self.was_number) = (0, false);
        Some(())
    }

    fn end(mut self, text: &str) -> Option<Version> {
        // Two words in a row that have no number are a sentence.
        let is_mute =
            |group: &&Group| matches!(group.word, Word::Named(_)) && group.numbers.is_empty();
        if self.groups.iter().filter(is_mute).count() > 1 {
            return None;
        }
        if self.open_after.is_none() {
            for group in &mut self.groups {
                while group.numbers.last().is_some_and(String::is_empty) {
                    group.numbers.pop();
                }
            }
        }
        Some(Version {
            text: text.to_owned(),
            groups: self.groups,
            open_after: self.open_after,
        })
    }
}

fn known(word: &str) -> Word {
    match word {
        "dev" | "snapshot" | "nightly" => Word::Before(0),
        "alpha" => Word::Before(1),
        "beta" => Word::Before(2),
        "pre" | "preview" => Word::Before(3),
        "rc" => Word::Before(4),
        "build" | "bld" => Word::After(After::Build),
        "hf" | "hotfix" => Word::After(After::Hotfix),
        "p" | "pl" | "patch" => Word::After(After::Patch),
        "r" | "rev" | "revision" => Word::After(After::Revision),
        "sp" => Word::After(After::ServicePack),
        "u" | "upd" | "update" => Word::After(After::Update),
        _ => Word::Named(word.to_owned()),
    }
}

impl Word {
    /// How a version with this word behind its numbers stands to the one without. Of a build that
    /// cannot be told: the version without it may be that very build, written shorter.
    const fn after_release(&self) -> Option<Ordering> {
        match self {
            Self::Before(_) => Some(Ordering::Less),
            Self::Letter(_) => Some(Ordering::Greater),
            Self::After(after) if after.is_later() => Some(Ordering::Greater),
            Self::Start | Self::Named(_) | Self::After(_) => None,
        }
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            _ if self == other => Some(Ordering::Equal),
            (Self::Before(ours), Self::Before(theirs))
            | (Self::Letter(ours), Self::Letter(theirs)) => Some(ours.cmp(theirs)),
            (Self::Before(_), later) if later.after_release() == Some(Ordering::Greater) => {
                Some(Ordering::Less)
            }
            (later, Self::Before(_)) if later.after_release() == Some(Ordering::Greater) => {
                Some(Ordering::Greater)
            }
            _ => None,
        }
    }
}

impl Group {
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match self.word.compare(&other.word)? {
            Ordering::Equal => {}
            order => return Some(order),
        }
        let pairs = self.numbers.iter().zip(&other.numbers);
        let differs = pairs
            .map(|(ours, theirs)| by_value(ours, theirs))
            .find(|order| *order != Ordering::Equal);
        // Neither ends in zeros, so the longer one is the larger one.
        Some(differs.unwrap_or_else(|| self.numbers.len().cmp(&other.numbers.len())))
    }
}

/// Numbers without leading zeros, however long.
fn by_value(ours: &str, theirs: &str) -> Ordering {
    ours.len().cmp(&theirs.len()).then_with(|| ours.cmp(theirs))
}

/// Which of two is the newer one by the rules of Semantic Versioning 2.0.0; `None` if one of them
/// is none. Numbers that are left out count as 0.
pub(super) fn by_semver(ours: &str, theirs: &str) -> Option<Ordering> {
    let (ours, theirs) = (semver(ours)?, semver(theirs)?);
    for at in 0..3 {
        match by_value(ours.0.get(at)?, theirs.0.get(at)?) {
            Ordering::Equal => {}
            order => return Some(order),
        }
    }
    Some(match (ours.1.is_empty(), theirs.1.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let pairs = ours.1.iter().zip(&theirs.1);
            let differs = pairs
                .map(|(ours, theirs)| by_identifier(ours, theirs))
                .find(|order| *order != Ordering::Equal);
            differs.unwrap_or_else(|| ours.1.len().cmp(&theirs.1.len()))
        }
    })
}

/// The three numbers, without leading zeros, and the identifiers of a pre-release.
fn semver(text: &str) -> Option<([&str; 3], Vec<&str>)> {
    let text = text.trim().trim_start_matches(['v', 'V']);
    let text = text.split('+').next()?;
    let (release, before) = match text.split_once('-') {
        Some((release, before)) => (release, before.split('.').collect()),
        None => (text, Vec::new()),
    };
    let mut numbers = [""; 3];
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    for (at, part) in release.split('.').enumerate() {
        let number = numbers.get_mut(at).filter(|_| is_number(part))?;
        *number = part.trim_start_matches('0');
    }
    let is_identifier = |part: &&str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    before
        .iter()
        .all(is_identifier)
        .then_some((numbers, before))
}

fn by_identifier(ours: &str, theirs: &str) -> Ordering {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match (is_number(ours), is_number(theirs)) {
        (true, true) => by_value(ours.trim_start_matches('0'), theirs.trim_start_matches('0')),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => ours.cmp(theirs),
    }
}
