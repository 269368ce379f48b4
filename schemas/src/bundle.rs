//! A bundle: up to 8,192 observations of all kinds, columnar, with the order they arrived in.
//!
//! Arrow keeps one batch per kind; the order between kinds is kept beside them, because a verdict
//! depends on the order of one device's rows whatever their kind.

mod builder;
mod column;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::RecordBatch;

pub use builder::BundleBuilder;

use crate::columns::{
    AttestationColumns, FlowColumns, HeaderColumns, ReadingColumns, ResolutionColumns, schema,
};
use crate::observation::Kind;

/// Most rows in one bundle.
pub const BUNDLE_ROWS_MAX: usize = 8_192;

/// Where a row of a bundle lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRef {
    /// Which batch.
    pub kind: Kind,
    /// Which row of it.
    pub row: u32,
    /// Number of the row in the whole input: the order in which things happened to the engine.
    pub ordinal: u64,
}

/// Observations of all kinds, columnar. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Flows.
    pub flows: FlowColumns,
    /// Sensor readings.
    pub readings: ReadingColumns,
    /// Firmware reports.
    pub attestations: AttestationColumns,
    /// DNS answers.
    pub resolutions: ResolutionColumns,
    /// Every row, in the order of arrival.
    pub order: Arc<[RowRef]>,
}

impl Bundle {
    /// A bundle of four batches and the order of their rows.
    ///
    /// # Errors
    /// Says which batch does not have its kind's schema, or which row does not exist.
    pub fn new(
        flows: &RecordBatch,
        readings: &RecordBatch,
        attestations: &RecordBatch,
        resolutions: &RecordBatch,
        order: Arc<[RowRef]>,
    ) -> Result<Self, String> {
        let bundle = Self {
            flows: FlowColumns::of(flows)?,
            readings: ReadingColumns::of(readings)?,
            attestations: AttestationColumns::of(attestations)?,
            resolutions: ResolutionColumns::of(resolutions)?,
            order,
        };
        match bundle
            .order
            .iter()
            .find(|r| r.row as usize >= bundle.header(r.kind).len())
        {
            Some(bad) => Err(format!("bundle has no {} row {}", bad.kind, bad.row)),
            None => Ok(bundle),
        }
    }

    /// A bundle of flows only, in the order of the batch; ordinals count from `first`.
    ///
    /// # Errors
    /// Says how the schema of the batch differs.
    pub fn of_flows(flows: &RecordBatch, first: u64) -> Result<Self, String> {
        let order = (0..flows.num_rows())
            .map(|row| RowRef {
                kind: Kind::Flow,
                row: u32::try_from(row).unwrap_or(u32::MAX),
                ordinal: first + row as u64,
            })
            .collect();
        let empty = |kind| RecordBatch::new_empty(schema(kind).clone());
        Self::new(
            flows,
            &empty(Kind::Reading),
            &empty(Kind::Attestation),
            &empty(Kind::Resolution),
            order,
        )
    }

    /// The columns that all kinds have, of one kind.
    #[inline]
    pub fn header(&self, kind: Kind) -> &HeaderColumns {
        match kind {
            Kind::Flow => &self.flows.header,
            Kind::Reading => &self.readings.header,
            Kind::Attestation => &self.attestations.header,
            Kind::Resolution => &self.resolutions.header,
        }
    }

    /// The same columns with other rows: how a bundle is dealt out to shards.
    #[must_use]
    pub fn with_order(&self, order: Arc<[RowRef]>) -> Self {
        Self {
            order,
            ..self.clone()
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
