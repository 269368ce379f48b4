//! What the advisories say of a device of some vendor, model and version.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::found::{Affected, DeviceAdvisories, FirmwareVersion, KnownVulnerability};
use super::product::{Fit, Name, Vendor};
use super::{Advisories, Claim, Fix, Product, Severity, Status, cut};
use crate::inventory::Make;

use super::version::Version as Read;

/// Most vulnerabilities of a device that are listed.
pub const SHOWN_MAX: usize = 100;

/// A device that is asked about.
struct Asked<'a> {
    make: &'a Make,
    vendor: Vendor,
    models: Vec<Name>,
    written: Option<&'a str>,
    version: Option<Read>,
}

/// What is said about one vulnerability of a device.
#[derive(Default)]
struct Said<'a> {
    affected: Option<&'a Claim>,
    open: Option<(&'a Claim, Fit)>,
    not_affected: bool,
}

impl Advisories {
    /// What is said of a device of this make that runs this firmware.
    pub fn of(&self, make: Option<&Make>, firmware: Option<FirmwareVersion>) -> DeviceAdvisories {
        let mut answer = DeviceAdvisories::about(make, firmware);
        let written = answer.firmware.as_ref().map(|f| f.version.as_str());
        let asked = make.and_then(|make| Asked::of(make, written));
        let mut found = asked.map(|asked| self.found(&asked)).unwrap_or_default();
        found.sort_by(|a, b| {
            let worst = (b.verdict, b.severity).cmp(&(a.verdict, a.severity));
            let score = |k: &KnownVulnerability| k.cvss.unwrap_or(-1.0);
            let score = score(b).total_cmp(&score(a));
            worst.then(score).then_with(|| a.cve.cmp(&b.cve))
        });
        let is_affected = |k: &&KnownVulnerability| k.verdict == Affected::Affected;
        answer.affected = found.iter().filter(is_affected).count() as u64;
        answer.cannot_tell = found.len() as u64 - answer.affected;
        found.truncate(SHOWN_MAX);
        answer.advisories = found;
        answer
    }

    fn found(&self, asked: &Asked<'_>) -> Vec<KnownVulnerability> {
        // By vulnerability, and by the advisory that speaks of it.
        let mut said: BTreeMap<(&str, &str), Said<'_>> = BTreeMap::new();
        let key = asked.vendor.key().unwrap_or_default();
        for place in self.vendors.get(key).into_iter().flatten() {
            let Some(product) = self.products.get(*place as usize) else {
                continue;
            };
            let fit = asked.fit(product);
            if fit == Fit::No {
                continue;
            }
            for claim in &product.claims {
                let about = &claim.about;
                let said = said.entry((&about.cve, &about.advisory)).or_default();
                said.take(claim, fit, asked);
            }
        }
        let mut found: BTreeMap<&str, KnownVulnerability> = BTreeMap::new();
        for ((cve, advisory), said) in said {
            let Some(known) = said.settle(asked) else {
                continue;
            };
            match found.get_mut(cve) {
                None => drop(found.insert(cve, known)),
                Some(before) => before.join(known, advisory),
            }
        }
        found.into_values().collect()
    }
}

impl<'a> Asked<'a> {
    /// `None` if nothing can be found of a device of which no more is known.
    fn of(make: &'a Make, written: Option<&'a str>) -> Option<Self> {
        let vendor = Vendor::read(make.vendor.as_deref()?);
        let models = make.models.iter().map(|model| Name::read(model, &vendor));
        let models: Vec<Name> = models.collect();
        (!models.is_empty()).then(|| Self {
            make,
            models,
            written,
            version: written.and_then(Read::read),
            vendor,
        })
    }

    fn fit(&self, product: &Product) -> Fit {
        if !self.vendor.is(&product.vendor) {
            return Fit::No;
        }
        product.names.fit(&self.models)
    }
}

impl<'a> Said<'a> {
    fn take(&mut self, claim: &'a Claim, fit: Fit, asked: &Asked<'_>) {
        let is_in = claim.subject.range.contains(asked.version.as_ref());
        match (claim.status, is_in) {
            (_, Some(false)) | (Status::NotAffected, None) => {}
            (Status::Affected, Some(true)) if fit == Fit::Is => {
                // The worst of several is what counts.
                if self.affected.is_none_or(|known| known.cvss < claim.cvss) {
                    self.affected = Some(claim);
                }
            }
            (Status::NotAffected, Some(true)) => self.not_affected |= fit == Fit::Is,
            (Status::Affected | Status::Open, _) => {
                if self.open.is_none_or(|(_, before)| before < fit) {
                    self.open = Some((claim, fit));
                }
            }
        }
    }

    fn settle(self, asked: &Asked<'_>) -> Option<KnownVulnerability> {
        match (self.affected, self.open) {
            (Some(claim), _) if self.not_affected => {
                let reason = "The advisory lists it as affected and as not affected.".to_owned();
                Some(asked.known(claim, Affected::CannotTell, reason))
            }
            (Some(claim), _) => {
                let range = &claim.subject.range;
                let reason = match asked.written {
                    Some(version) if !range.is_all() => {
                        format!(
                            "Firmware {version} is among the versions {}.",
                            range.as_str()
                        )
                    }
                    _ => "All versions of it are affected.".to_owned(),
                };
                Some(asked.known(claim, Affected::Affected, reason))
            }
            (None, Some((claim, fit))) if !self.not_affected => {
                let reason = asked.doubt(claim, fit);
                Some(asked.known(claim, Affected::CannotTell, reason))
            }
            _ => None,
        }
    }
}

impl Asked<'_> {
    /// Why it cannot be told.
    fn doubt(&self, claim: &Claim, fit: Fit) -> String {
        let subject = &claim.subject;
        let range = subject.range.as_str();
        let is_in = subject.range.contains(self.version.as_ref());
        match (self.written, is_in) {
            (None, None) => {
                format!("Nobody has said which firmware it runs; the advisory speaks of {range}.")
            }
            (Some(version), None) => {
                format!("Firmware {version} cannot be compared with {range}.")
            }
            _ if fit == Fit::Maybe => format!(
                "The advisory speaks of {}; the inventory says only {}.",
                subject.name,
                self.make.models.join(", ")
            ),
            _ => "The advisory does not say yet whether these versions are affected.".to_owned(),
        }
    }

    fn known(&self, claim: &Claim, verdict: Affected, reason: String) -> KnownVulnerability {
        let (about, subject) = (&claim.about, &claim.subject);
        KnownVulnerability {
            cve: about.cve.clone(),
            verdict,
            reason,
            severity: claim.severity,
            cvss: claim.cvss,
            title: about.title.clone(),
            versions: subject.range.as_str().to_owned(),
            product: subject.name.clone(),
            fixed_in: self.fixed_in(claim),
            remedy: claim.remedy.as_ref().map(ToString::to_string),
            url: about.url.clone(),
            advisories: vec![about.advisory.clone()],
        }
    }

    /// The version in which it is fixed: the one that is said of these versions, else their end, else
    /// the nearest newer one of those in which the product is fixed. Fixes of another release line
    /// are none for this device.
    fn fixed_in(&self, claim: &Claim) -> Option<String> {
        let version = self.version.as_ref();
        let end = || claim.subject.range.ends_before(version).map(|v| cut(v, 60));
        match (&claim.fix, version) {
            (Fix::Of(fixed), _) => Some(fixed.to_string()),
            (Fix::Unsaid, _) => end(),
            (Fix::OneOf(fixed), Some(version)) => end().or_else(|| nearest(fixed, version)),
            (Fix::OneOf(fixed), None) => end().or_else(|| match &fixed[..] {
                [only] => Some(only.to_string()),
                _ => None,
            }),
        }
    }
}

/// The smallest of these versions that is newer than this one.
fn nearest(fixed: &[Arc<str>], version: &Read) -> Option<String> {
    let newer = fixed.iter().filter_map(|text| Read::read(text));
    let newer = newer.filter(|fixed| fixed.compare(version) == Some(Ordering::Greater));
    let is_nearer = |a: &Read, b: &Read| a.compare(b) == Some(Ordering::Less);
    let nearest = newer.reduce(|best, fixed| {
        if is_nearer(&fixed, &best) {
            fixed
        } else {
            best
        }
    });
    nearest.map(|fixed| fixed.as_str().to_owned())
}

impl KnownVulnerability {
    /// Another advisory speaks of it too: the worse answer stands, and what one of them leaves out
    /// is taken from the other.
    fn join(&mut self, mut other: Self, advisory: &str) {
        let mut advisories = std::mem::take(&mut self.advisories);
        if !advisories.iter().any(|known| known == advisory) {
            advisories.push(advisory.to_owned());
        }
        if other.verdict > self.verdict {
            std::mem::swap(self, &mut other);
        }
        self.advisories = advisories;
        self.fixed_in = self.fixed_in.take().or(other.fixed_in);
        self.remedy = self.remedy.take().or(other.remedy);
        self.url = self.url.take().or(other.url);
        if self.cvss.is_none() && other.cvss.is_some() {
            (self.cvss, self.severity) = (other.cvss, other.severity);
        } else if self.severity == Severity::Unknown {
            self.severity = other.severity;
        }
    }
}
