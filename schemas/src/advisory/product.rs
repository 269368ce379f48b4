//! Which product a device is. Vendors write names of products in many ways, so names are compared
//! by their words: a device whose model holds the whole name of a product is that product, and one
//! whose model is only a part of the name may be it.

/// Most words of a name that are looked at.
const WORDS_MAX: usize = 64;
/// What a company is, not who.
const FORMS: &[&str] = &[
    "ab",
    "ag",
    "as",
    "bv",
    "co",
    "company",
    "corp",
    "corporation",
    "gmbh",
    "inc",
    "incorporated",
    "kg",
    "limited",
    "llc",
    "ltd",
    "nv",
    "plc",
    "sa",
    "se",
    "spa",
    "srl",
    "the",
];

/// What says no more than that it is a product.
const FILLERS: &[&str] = &[
    "all",
    "controller",
    "controllers",
    "device",
    "devices",
    "family",
    "product",
    "products",
    "series",
    "the",
];

/// How well a device fits a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It is another one.
    No,
    /// It may be that product: what is known of it is less than the name says.
    Maybe,
    /// It is that product.
    Is,
}

/// Words of letters and digits, in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).take(WORDS_MAX);
    words.map(str::to_lowercase).collect()
}

/// A vendor, by the words that say who it is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Vendor(Vec<String>);

impl Vendor {
    /// Reads a name such as `Siemens AG`.
    pub fn read(text: &str) -> Self {
        let all = words(text);
        let telling = all.iter().filter(|word| !FORMS.contains(&word.as_str()));
        let telling: Vec<String> = telling.cloned().collect();
        Self(if telling.is_empty() { all } else { telling })
    }

    /// The first word: two names of one vendor have it in common.
    pub(super) fn key(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// Whether both are one vendor: one name begins with the other.
    pub fn is(&self, other: &Self) -> bool {
        let common = self.0.len().min(other.0.len());
        common > 0 && self.0[..common] == other.0[..common]
    }

    /// The words of a name without the vendor in front.
    fn without<'a>(&self, words: &'a [String]) -> &'a [String] {
        let rest = words.strip_prefix(&self.0[..]);
        rest.filter(|rest| !rest.is_empty()).unwrap_or(words)
    }
}

/// A name of a product or of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    words: Vec<String>,
    /// The words without anything in between.
    joined: String,
    /// Whether a word hangs on the one before it, as in `S7-1500`.
    tied: Vec<bool>,
    /// It has wildcards: `*` for any, `?` for one character. Only whole names are compared then.
    pattern: Option<Vec<char>>,
}

impl Name {
    /// Reads a name of a vendor's product.
    pub fn read(text: &str, vendor: &Vendor) -> Self {
        let mut words = Vec::new();
        let mut tied = Vec::new();
        let mut pieces = text.split_whitespace();
        while words.len() < WORDS_MAX
            && let Some(piece) = pieces.next()
        {
            let of_piece = self::words(piece);
            if let [word] = &of_piece[..]
                && FILLERS.contains(&word.as_str())
            {
                continue;
            }
            for (at, word) in of_piece.into_iter().enumerate() {
                words.push(word);
                tied.push(at > 0);
            }
        }
        let left = vendor.without(&words).len();
        let of_vendor = words.len() - left;
        words.drain(..of_vendor);
        tied.drain(..of_vendor);
        Self {
            joined: words.concat(),
            words,
            tied,
            pattern: None,
        }
    }

    /// Reads a number that orders a model, which may have wildcards.
    pub(super) fn number(text: &str) -> Self {
        let is_pattern = text.contains(['*', '?']);
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, '*' | '?');
        let pattern = is_pattern.then(|| text.to_lowercase().chars().filter(kept).collect());
        let words = words(text);
        Self {
            tied: (0..words.len()).map(|at| at > 0).collect(),
            joined: words.concat(),
            words,
            pattern,
        }
    }

    /// How well a device of this model fits a product of that name.
    pub fn fit(&self, product: &Self) -> Fit {
        if let Some(pattern) = &product.pattern {
            let model: Vec<char> = self.joined.chars().collect();
            let fits = model.len() >= 2 && matches(pattern, &model);
            return if fits { Fit::Is } else { Fit::No };
        }
        let name = &product.joined;
        let is_short = name.len() < 4 && name.bytes().all(|byte| byte.is_ascii_digit());
        if self.words.is_empty() || name.is_empty() {
            Fit::No
        } else if self.joined == *name {
            Fit::Is
        } else if !is_short && let Some(is_apart) = self.holds(name) {
            // `CNCSoft-B` is hardly `CNCSoft`.
            if is_apart { Fit::Is } else { Fit::Maybe }
        } else if self.joined.len() >= 2 && product.holds(&self.joined).is_some() {
            Fit::Maybe
        } else {
            Fit::No
        }
    }

    /// Whether both are numbers of one system that order different models.
    fn is_other(&self, number: &Self) -> bool {
        let (ours, theirs) = (&self.joined, &number.joined);
        number.pattern.is_none()
            && ours.len() == theirs.len()
            && ours != theirs
            && ours.get(..4).is_some_and(|begin| theirs.starts_with(begin))
    }

    /// Whether some of its words in a row, joined, are this: `true` if they stand apart from the
    /// others.
    fn holds(&self, joined: &str) -> Option<bool> {
        let is_tied = |at: usize| self.tied.get(at).copied().unwrap_or(false);
        let ends = |begin: usize| {
            let mut rest = joined;
            for (at, word) in self.words.iter().enumerate().skip(begin) {
                rest = rest.strip_prefix(word.as_str())?;
                if rest.is_empty() {
                    return Some(!is_tied(begin) && !is_tied(at + 1));
                }
            }
            None
        };
        (0..self.words.len()).filter_map(ends).max()
    }
}

/// Whether a text fits a pattern, in time that grows with both lengths only.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, from) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// The names that one text gives: the whole, and the part before what stands in brackets; and what in
/// brackets is a number that orders a model.
pub(super) fn names_in(text: &str, vendor: &Vendor) -> (Vec<Name>, Vec<Name>) {
    let mut names = vec![Name::read(text, vendor)];
    let mut numbers = Vec::new();
    if let Some((before, rest)) = text.split_once('(') {
        names.push(Name::read(before, vendor));
        for inner in rest.split('(') {
            let inner = inner.split(')').next().unwrap_or_default().trim();
            let is_number = inner.len() >= 6
                && !inner.contains(' ')
                && inner.bytes().any(|byte| byte.is_ascii_digit());
            if is_number {
                numbers.push(Name::number(inner));
            }
        }
    }
    names.retain(|name| !name.words.is_empty());
    numbers.retain(|number| !number.words.is_empty());
    (names, numbers)
}

/// The names of a product.
#[derive(Debug)]
pub(super) struct Names {
    whole: Vec<Name>,
    /// Numbers that order it, wherever they are from.
    numbers: Vec<Name>,
    /// Its very name has a number: a device that has only the rest of it may be a variant of another
    /// number.
    is_numbered: bool,
}

impl Names {
    pub(super) fn of(text: &str, vendor: &Vendor) -> Self {
        let (names, numbers) = names_in(text, vendor);
        Self {
            is_numbered: !numbers.is_empty(),
            whole: names,
            numbers,
        }
    }

    /// Other names and numbers by which it goes.
    pub(super) fn learn(&mut self, names: impl Iterator<Item = Name>, numbers: &[String]) {
        for name in names {
            if !self.whole.contains(&name) {
                self.whole.push(name);
            }
        }
        for number in numbers {
            let number = Name::number(number);
            if !number.words.is_empty() && !self.numbers.contains(&number) {
                self.numbers.push(number);
            }
        }
    }

    /// How well a device of these models fits.
    pub(super) fn fit(&self, models: &[Name]) -> Fit {
        let best = |names: &[Name]| {
            let pairs = models
                .iter()
                .flat_map(|model| names.iter().map(|name| model.fit(name)));
            pairs.max().unwrap_or(Fit::No)
        };
        let by_number = best(&self.numbers);
        if by_number == Fit::Is {
            return Fit::Is;
        }
        let by_name = best(&self.whole);
        if !self.is_numbered || by_name < Fit::Is {
            return by_name.max(by_number);
        }
        let is_other = |number: &Name| models.iter().any(|model| model.is_other(number));
        if self.numbers.iter().all(is_other) {
            Fit::No
        } else {
            Fit::Maybe
        }
    }
}
