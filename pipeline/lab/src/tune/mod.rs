//! Thresholds with a guarantee.

pub mod certificate;
