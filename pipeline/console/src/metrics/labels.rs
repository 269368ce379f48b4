//! Families of counters whose labels are known beforehand.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::Label;

/// One counter per value of a label, at 0.
pub(super) fn counted_by(
    label: &'static str,
    values: impl Iterator<Item = &'static str>,
) -> Family<Label<&'static str>, Counter> {
    let counters = Family::default();
    for value in values {
        drop(counters.get_or_create(&[(label, value)]));
    }
    counters
}
