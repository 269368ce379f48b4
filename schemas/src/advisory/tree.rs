//! The product tree of a CSAF document: whose products it names, in which versions, and what is
//! installed on what.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::csaf::TITLE_MAX;
use super::document::{Branch, Document, FullName, Relationship};
use super::range::Range;
use super::{Subject, cut};

/// Names under which a product goes, at most.
const NUMBERS_MAX: usize = 500;

/// Products by their id; one that is installed on another goes by both.
pub(super) type Subjects = BTreeMap<String, Vec<Arc<Subject>>>;

/// What lies above a branch.
#[derive(Clone, Default)]
struct Above<'a> {
    vendor: &'a str,
    family: &'a str,
    name: &'a str,
    version: Option<String>,
}

pub(super) fn subjects(document: &Document) -> Subjects {
    let mut subjects = Subjects::new();
    let tree = &document.product_tree;
    for branch in &tree.branches {
        descend(branch, &Above::default(), &mut subjects);
    }
    for full in &tree.full_product_names {
        // The name alone may hold anything, vendor and versions included.
        let above = Above::default();
        put(full, &above, &mut subjects);
    }
    // One may be installed on what is itself installed on something; the order is anybody's.
    for _ in 0..4 {
        for relationship in &tree.relationships {
            relate(relationship, &mut subjects);
        }
    }
    subjects
}

fn descend<'a>(branch: &'a Branch, above: &Above<'a>, subjects: &mut Subjects) {
    let mut here = above.clone();
    match branch.category.as_str() {
        "vendor" => here.vendor = &branch.name,
        "product_family" => here.family = &branch.name,
        "product_name" => here.name = &branch.name,
        "product_version" | "product_version_range" => here.version = Some(branch.name.clone()),
        "service_pack" | "patch_level" => {
            let before = here.version.unwrap_or_default();
            here.version = Some(format!("{before} {}", branch.name));
        }
        _ => {}
    }
    if let Some(full) = &branch.product {
        put(full, &here, subjects);
    }
    for branch in &branch.branches {
        descend(branch, &here, subjects);
    }
}

fn put(full: &FullName, above: &Above<'_>, subjects: &mut Subjects) {
    let helper = &full.product_identification_helper;
    let numbers = helper.model_numbers.iter().chain(&helper.skus);
    let name = match (above.name, above.family) {
        ("", "") => full.name.as_str(),
        ("", family) => family,
        (name, _) => name,
    };
    let mut others = Vec::new();
    if !above.family.is_empty() && !above.name.is_empty() {
        others.push(cut(&format!("{} {}", above.family, above.name), TITLE_MAX));
    }
    // Without a vendor nobody's device can be it, but for the first word of its name.
    let vendor = match above.vendor {
        "" => full.name.split_whitespace().next().unwrap_or_default(),
        vendor => vendor,
    };
    let range = match (
        &above.version,
        above.name.is_empty() && above.family.is_empty(),
    ) {
        (Some(version), _) => Range::read(version),
        (None, false) => Range::all(),
        (None, true) => Range::unclear(&full.name),
    };
    let subject = Subject {
        vendor: cut(vendor, TITLE_MAX),
        name: cut(name, TITLE_MAX),
        others,
        numbers: numbers
            .take(NUMBERS_MAX)
            .map(|n| cut(n, TITLE_MAX))
            .collect(),
        range,
    };
    subjects.insert(full.product_id.clone(), vec![Arc::new(subject)]);
}

/// A product on another one goes by both their names. Its version is that of what is installed, if
/// whoever makes the one makes the other; a device says nothing of other people's parts in it.
fn relate(relationship: &Relationship, subjects: &mut Subjects) {
    let id = &relationship.full_product_name.product_id;
    let part = subjects.get(&relationship.product_reference);
    let whole = subjects.get(&relationship.relates_to_product_reference);
    let (Some(part), Some(whole)) = (part, whole) else {
        return;
    };
    let mut all = part.clone();
    for whole in whole {
        let installed = part.first().filter(|part| part.vendor == whole.vendor);
        let range = match installed {
            _ if !whole.range.is_all() => whole.range.clone(),
            Some(part) => part.range.clone(),
            None => Range::unclear(&relationship.full_product_name.name),
        };
        all.push(Arc::new(whole.with(range)));
    }
    all.truncate(8);
    subjects.insert(id.clone(), all);
}

impl Subject {
    pub(super) fn with(&self, range: Range) -> Self {
        Self {
            vendor: self.vendor.clone(),
            name: self.name.clone(),
            others: self.others.clone(),
            numbers: self.numbers.clone(),
            range,
        }
    }
}
