//! Advisories: which versions of whose products have which known vulnerabilities, as vendors and
//! coordinators publish them, and what they say of a device.
//!
//! They come as CSAF 2.0 documents or as a table, see [`Gathering`]. What is known of a device's
//! firmware is context for people: no detector reads it, and no verdict or risk rests on it. An answer
//! is never "not affected" because something could not be compared: that is `cannot_tell`.

mod ask;
mod csaf;
mod document;
mod found;
mod product;
mod range;
mod table;
mod tree;
mod version;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::identity::DeviceId;
use crate::inventory::Make;
use crate::problems::Problems;

pub use self::ask::SHOWN_MAX;
pub use self::found::{
    Affected, DeviceAdvisories, FirmwareVersion, KnownVulnerability, Severity, VersionSource,
};
pub use self::product::{Fit, Name, Vendor};
pub use self::range::Range;
pub use self::table::COLUMNS;
pub use self::version::{VERSION_BYTES_MAX, Version};

/// Most statements about products that are kept, of all advisories together.
pub const STATEMENTS_MAX: usize = 2_000_000;

/// Whether a statement makes a product one that has the vulnerability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Affected,
    /// It is not known yet.
    Open,
    /// It is fixed there, or never was.
    NotAffected,
}

/// A vulnerability as one advisory describes it.
#[derive(Debug)]
struct About {
    cve: String,
    title: String,
    url: Option<String>,
    advisory: String,
}

/// A product with its versions, as an advisory names it.
#[derive(Debug)]
struct Subject {
    vendor: String,
    /// The name, then other names and numbers by which it goes.
    name: String,
    others: Vec<String>,
    numbers: Vec<String>,
    range: Range,
}

/// What is said of versions without the vulnerability.
#[derive(Clone, Debug, Default)]
enum Fix {
    #[default]
    Unsaid,
    /// The one for these versions.
    Of(Arc<str>),
    /// Those of all release lines of the product: not all of them are for these versions.
    OneOf(Arc<[Arc<str>]>),
}

/// What one advisory says about one vulnerability of one product.
#[derive(Clone, Debug)]
struct Claim {
    about: Arc<About>,
    subject: Arc<Subject>,
    status: Status,
    severity: Severity,
    cvss: Option<f64>,
    fix: Fix,
    remedy: Option<Arc<str>>,
}

/// One advisory that was read.
#[derive(Debug)]
struct Advisory {
    /// When this revision of it was released, as it says; an advisory may be met twice.
    released: String,
    claims: Vec<Claim>,
}

/// A product and what is said of its versions.
#[derive(Debug)]
struct Product {
    vendor: Vendor,
    names: product::Names,
    claims: Vec<Claim>,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Files that were used, at least in part.
    pub files: u64,
    /// Advisories in them; a table is one.
    pub advisories: u64,
    /// Statements about products in those.
    pub statements: u64,
    /// Files in which something is wrong. What is right in them is used.
    pub faulty: u64,
    /// Statements beyond the most that are kept.
    pub shed: u64,
}

/// What files are gathered into, one by one.
#[derive(Debug, Default)]
pub struct Gathering {
    advisories: BTreeMap<(String, String), Advisory>,
    /// Statements in them.
    held: usize,
    counts: Counts,
}

/// Every advisory that was read, by vendor and product.
#[derive(Debug, Default)]
pub struct Advisories {
    products: Vec<Product>,
    vendors: BTreeMap<String, Vec<u32>>,
    counts: Counts,
}

impl Gathering {
    /// Takes a CSAF 2.0 document. A JSON document that is none but belongs beside them, such as a
    /// feed of them, is passed over.
    ///
    /// # Errors
    /// Everything that is wrong with it. What is right is taken all the same.
    pub fn csaf(&mut self, file: &str, text: &str) -> Result<(), Problems> {
        let taken = csaf::read(file, text);
        self.take(taken)
    }

    /// Takes a table, CSV with the columns of [`COLUMNS`] in any order.
    ///
    /// # Errors
    /// Everything that is wrong with it. What is right is taken all the same.
    pub fn table(&mut self, file: &str, text: &str) -> Result<(), Problems> {
        let taken = table::read(file, text);
        self.take(taken)
    }

    /// A file cannot be read at all.
    pub const fn unreadable(&mut self) {
        self.counts.faulty += 1;
    }

    fn take(&mut self, read: Read) -> Result<(), Problems> {
        if let Some((key, mut advisory)) = read.advisory {
            self.counts.files += 1;
            let is_newer = |known: &Advisory| known.released < advisory.released;
            if self.advisories.get(&key).is_none_or(is_newer) {
                let before = self.advisories.remove(&key);
                self.held -= before.map_or(0, |before| before.claims.len());
                let room = STATEMENTS_MAX - self.held;
                self.counts.shed += advisory.claims.len().saturating_sub(room) as u64;
                advisory.claims.truncate(room);
                self.held += advisory.claims.len();
                self.advisories.insert(key, advisory);
            }
        }
        match read.problems {
            None => Ok(()),
            Some(problems) => {
                self.counts.faulty += 1;
                Err(problems)
            }
        }
    }

    /// Everything, ready to be asked.
    pub fn finish(self) -> Advisories {
        let mut all = Advisories {
            counts: self.counts,
            ..Advisories::default()
        };
        let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
        // Claims of an advisory share their subjects, whose names are learned once.
        let mut learned = BTreeSet::new();
        all.counts.advisories = self.advisories.len() as u64;
        for claim in self
            .advisories
            .into_values()
            .flat_map(|advisory| advisory.claims)
        {
            all.counts.statements += 1;
            let subject = &claim.subject;
            let key = (subject.vendor.clone(), subject.name.clone());
            let place = *places.entry(key).or_insert_with(|| all.add(subject));
            if let Some(product) = all.products.get_mut(place) {
                if learned.insert(Arc::as_ptr(subject)) {
                    product.learn(subject);
                }
                product.claims.push(claim);
            }
        }
        all
    }
}

/// Somebody who knows what advisories say of devices, and which firmware these run now.
pub trait Advisor: Send + Sync {
    /// What is said of a device of this make.
    fn of(&self, device: &DeviceId, make: Option<&Make>) -> DeviceAdvisories;
}

/// What came of a file.
#[derive(Debug, Default)]
struct Read {
    /// The publisher and the id of the advisory, and the advisory.
    advisory: Option<((String, String), Advisory)>,
    problems: Option<Problems>,
}

impl Advisories {
    /// How much was read.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    fn add(&mut self, subject: &Subject) -> usize {
        let place = self.products.len();
        let vendor = Vendor::read(&subject.vendor);
        if let (Some(key), Ok(at)) = (vendor.key(), u32::try_from(place)) {
            self.vendors.entry(key.to_owned()).or_default().push(at);
        }
        let names = product::Names::of(&subject.name, &vendor);
        self.products.push(Product {
            vendor,
            names,
            claims: Vec::new(),
        });
        place
    }
}

impl Product {
    /// Other names by which it goes.
    fn learn(&mut self, subject: &Subject) {
        let others = subject.others.iter();
        let others = others.map(|name| Name::read(name, &self.vendor));
        self.names.learn(others, &subject.numbers);
    }
}

/// A text of somebody else's, without control characters and cut where it is too long to be read.
fn cut(text: &str, most: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut kept: String = text.trim().chars().take(most).map(clean).collect();
    if text.trim().chars().count() > most {
        kept.push('…');
    }
    kept
}

/// An address that a person may follow.
fn link(text: &str) -> Option<String> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    let is_plain =
        text.len() <= 500 && !text.contains(|c: char| c.is_control() || c.is_whitespace());
    (is_web && is_plain).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
