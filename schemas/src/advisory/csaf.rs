//! Reads a CSAF 2.0 document: whose products its tree names, and what is said of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::{Document, Head, Remediation, Score, Statuses, Vulnerability};
use super::range::Range;
use super::tree::{Subjects, subjects};
use super::{About, Advisory, Claim, Fix, Read, Severity, Status, cut, link};
use crate::problems::{Problem, Problems, quoted};

/// Longest title and name that is kept, in characters.
pub(super) const TITLE_MAX: usize = 200;
/// Longest remedy that is kept, in characters.
const REMEDY_MAX: usize = 300;

/// Versions in which a product is fixed that are kept, for each vulnerability.
const FIXES_MAX: usize = 64;
/// Problems of one document that are told.
const TOLD_MAX: usize = 100;

/// Reads a document. Of one that is no advisory but stands beside them nothing comes.
pub(super) fn read(file: &str, text: &str) -> Read {
    let mut reading = Reading {
        file,
        text,
        problems: Vec::new(),
    };
    let advisory = reading.document();
    Read {
        advisory,
        problems: Problems::of(reading.problems),
    }
}

struct Reading<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn document(&mut self) -> Option<((String, String), Advisory)> {
        let text = self.text.trim_start_matches('\u{feff}');
        let document: Document = match serde_json::from_str(text) {
            Ok(document) => document,
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let cause = error.to_string();
                let cause = cause.split(" at line ").next().unwrap_or_default();
                let cause = format!("no CSAF document: {cause}");
                self.problem((line, column), "", cause, None);
                return None;
            }
        };
        let Some(head) = &document.head else {
            if document.feed.is_none() && document.distributions.is_none() {
                let hint = "A CSAF document has `document`, `product_tree` and `vulnerabilities`.";
                self.problem((1, 1), "", "`document` is missing".to_owned(), Some(hint));
            }
            return None;
        };
        if head.csaf_version != "2.0" {
            let cause = format!("CSAF {} is not read", quoted(&head.csaf_version));
            let hint = "Only CSAF 2.0 is.";
            self.problem(
                self.place("\"csaf_version\""),
                "document.csaf_version",
                cause,
                Some(hint),
            );
            return None;
        }
        if head.tracking.id.is_empty() {
            let cause = "the id of the advisory is missing".to_owned();
            self.problem(
                self.place("\"tracking\""),
                "document.tracking.id",
                cause,
                None,
            );
            return None;
        }
        let subjects = subjects(&document);
        let mut claims = Vec::new();
        for (at, vulnerability) in document.vulnerabilities.iter().enumerate() {
            self.vulnerability(at, vulnerability, &document, head, &subjects, &mut claims);
        }
        let key = (head.publisher.namespace.clone(), head.tracking.id.clone());
        let released = head.tracking.current_release_date.clone();
        Some((key, Advisory { released, claims }))
    }

    fn vulnerability(
        &mut self,
        at: usize,
        vulnerability: &Vulnerability,
        document: &Document,
        head: &Head,
        subjects: &Subjects,
        claims: &mut Vec<Claim>,
    ) {
        let about = Arc::new(about(at, vulnerability, document, head));
        let remedies = Remedies::of(vulnerability, document);
        let scores = scores(&vulnerability.scores);
        let status = &vulnerability.product_status;
        let fixes = fixes(status, subjects);
        let lists = [
            ("known_affected", &status.known_affected, Status::Affected),
            ("first_affected", &status.first_affected, Status::Affected),
            ("last_affected", &status.last_affected, Status::Affected),
            (
                "under_investigation",
                &status.under_investigation,
                Status::Open,
            ),
            (
                "known_not_affected",
                &status.known_not_affected,
                Status::NotAffected,
            ),
            ("fixed", &status.fixed, Status::NotAffected),
            ("first_fixed", &status.first_fixed, Status::NotAffected),
        ];
        for (list, ids, status) in lists {
            let mut seen = BTreeSet::new();
            for (place, id) in ids.iter().enumerate() {
                // Said twice it says no more.
                if !seen.insert(id.as_str()) {
                    continue;
                }
                let Some(known) = subjects.get(id) else {
                    if self.problems.len() >= TOLD_MAX {
                        continue;
                    }
                    let path = format!("vulnerabilities[{at}].product_status.{list}[{place}]");
                    let cause = format!("the product tree has no {}", quoted(id));
                    self.problem(self.place_of(id), &path, cause, None);
                    continue;
                };
                let (severity, cvss) = scores.get(id.as_str()).copied().unwrap_or_default();
                for subject in known {
                    let key = (subject.vendor.clone(), subject.name.clone());
                    let claim = Claim {
                        about: about.clone(),
                        subject: subject.clone(),
                        status,
                        severity,
                        cvss,
                        fix: fixes.get(&key).cloned().unwrap_or_default(),
                        remedy: remedies.of_product(id),
                    };
                    claims.extend(beyond(list, &claim));
                    claims.push(claim);
                }
            }
        }
    }

    fn problem(&mut self, at: (usize, usize), path: &str, cause: String, hint: Option<&str>) {
        let number = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: number(at.0),
            column: number(at.1),
            path: path.to_owned(),
            cause,
            hint: hint.map(str::to_owned),
        });
    }

    /// Where a product id is used.
    fn place_of(&self, id: &str) -> (usize, usize) {
        let begin = self.text.find("\"product_status\"").unwrap_or(0);
        let wanted = serde_json::to_string(id).unwrap_or_default();
        let used = self.text[begin..].find(&wanted).map(|at| begin + at);
        self.at(used)
    }

    fn place(&self, words: &str) -> (usize, usize) {
        self.at(self.text.find(words))
    }

    /// Line and column, both from 1.
    fn at(&self, byte: Option<usize>) -> (usize, usize) {
        let before = &self.text[..byte.unwrap_or(0)];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[start..].chars().count() + 1)
    }
}

/// What else a list says: what comes after the first affected version, and before the last one, may
/// be affected.
fn beyond(list: &str, claim: &Claim) -> Option<Claim> {
    let sign = match list {
        "first_affected" => ">=",
        "last_affected" => "<=",
        _ => return None,
    };
    let subject = &claim.subject;
    let range = Range::read(&format!("{sign}{}", subject.range.single()?));
    Some(Claim {
        subject: Arc::new(subject.with(range)),
        status: Status::Open,
        ..claim.clone()
    })
}

/// What a vulnerability goes by; `None` if it has no name of its own.
fn name(vulnerability: &Vulnerability) -> Option<&str> {
    let id = vulnerability.ids.first().map(|id| id.text.as_str());
    let names = [Some(vulnerability.cve.as_str()), id];
    names.into_iter().flatten().find(|name| !name.is_empty())
}

fn about(at: usize, vulnerability: &Vulnerability, document: &Document, head: &Head) -> About {
    let id = &head.tracking.id;
    let name = name(vulnerability);
    let nameless = document
        .vulnerabilities
        .iter()
        .filter(|v| self::name(v).is_none());
    let cve = match name {
        Some(name) => cut(name, 60),
        // Several that go by the id of the advisory are still several.
        None if nameless.take(2).count() > 1 => format!("{} ({})", cut(id, 50), at + 1),
        None => cut(id, 60),
    };
    // The id again says nothing.
    let said = name.unwrap_or(id);
    let title = Some(&*vulnerability.title).filter(|title| *title != said);
    let title = match (title.unwrap_or_default(), &vulnerability.cwe) {
        ("", Some(cwe)) if !cwe.name.is_empty() => format!("{} ({})", head.title, cwe.name),
        ("", _) => head.title.clone(),
        (title, _) => title.to_owned(),
    };
    let own = head.references.iter().filter(|r| r.category == "self");
    let is_page = |reference: &&&super::document::Reference| {
        !reference.url.to_ascii_lowercase().ends_with(".json")
    };
    let page = own.clone().collect::<Vec<_>>();
    let page = page.iter().find(is_page).copied();
    let other = vulnerability.references.first();
    let url = page.or(other).or_else(|| own.clone().next());
    About {
        cve,
        title: cut(&title, TITLE_MAX),
        url: url.and_then(|reference| link(&reference.url)),
        advisory: cut(id, 60),
    }
}

/// The versions in which products are fixed, by vendor and name.
type Fixes = BTreeMap<(String, String), Fix>;

fn fixes(status: &Statuses, subjects: &Subjects) -> Fixes {
    let mut found: BTreeMap<_, Vec<Arc<str>>> = BTreeMap::new();
    let ids = status.fixed.iter().chain(&status.first_fixed);
    for subject in ids.filter_map(|id| subjects.get(id)).flatten() {
        if let Some(version) = subject.range.single() {
            let key = (subject.vendor.clone(), subject.name.clone());
            let version = cut(version, 60).into();
            let versions = found.entry(key).or_default();
            if versions.len() < FIXES_MAX && !versions.contains(&version) {
                versions.push(version);
            }
        }
    }
    let one_of = |(key, versions): (_, Vec<Arc<str>>)| (key, Fix::OneOf(versions.into()));
    found.into_iter().map(one_of).collect()
}

/// Severity and score of the products of a vulnerability.
fn scores(scores: &[Score]) -> BTreeMap<&str, (Severity, Option<f64>)> {
    let mut found = BTreeMap::new();
    for score in scores {
        let Some(cvss) = score.cvss_v3.as_ref().or(score.cvss_v2.as_ref()) else {
            continue;
        };
        let base = cvss.base_score.filter(|base| (0.0..=10.0).contains(base));
        let written = cvss
            .base_severity
            .as_deref()
            .and_then(|text| text.parse().ok());
        let severity = written.or(base.map(Severity::of_score)).unwrap_or_default();
        for id in &score.products {
            found.insert(id.as_str(), (severity, base));
        }
    }
    found
}

/// What a vendor says to do, by product.
struct Remedies<'a> {
    of: BTreeMap<&'a str, Arc<str>>,
    of_all: Option<Arc<str>>,
}

impl<'a> Remedies<'a> {
    fn of(vulnerability: &'a Vulnerability, document: &'a Document) -> Self {
        let mut remedies = Self {
            of: BTreeMap::new(),
            of_all: None,
        };
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for group in &document.product_tree.product_groups {
            let products = group.product_ids.iter().map(String::as_str);
            groups.entry(&group.group_id).or_default().extend(products);
        }
        let is_group = |group: &String| groups.get(group.as_str()).is_some_and(|g| !g.is_empty());
        let mut expanded = BTreeSet::new();
        // The fix first; where there is none, what can be done without.
        for category in [
            "vendor_fix",
            "workaround",
            "mitigation",
            "no_fix_planned",
            "none_available",
        ] {
            let named =
                |remedy: &&Remediation| remedy.category == category && !remedy.details.is_empty();
            for remedy in vulnerability.remediations.iter().filter(named) {
                let details: Arc<str> = cut(&remedy.details, REMEDY_MAX).into();
                // What stands first counts, so a group that was named before has all it gets.
                let named = remedy.group_ids.iter().map(String::as_str);
                let grouped = named.filter(|group| expanded.insert(*group));
                let grouped = grouped.filter_map(|group| groups.get(group)).flatten();
                let products = remedy.product_ids.iter().map(String::as_str);
                for id in products.chain(grouped.copied()) {
                    remedies.of.entry(id).or_insert_with(|| details.clone());
                }
                if remedy.product_ids.is_empty() && !remedy.group_ids.iter().any(is_group) {
                    remedies.of_all.get_or_insert(details);
                }
            }
        }
        remedies
    }

    fn of_product(&self, id: &str) -> Option<Arc<str>> {
        self.of.get(id).or(self.of_all.as_ref()).cloned()
    }
}
