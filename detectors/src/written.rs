//! Written ranges as laws, for whoever sets thresholds by them.

use andon_schemas::profile::Volume;

use crate::shift::ends;
use crate::stats::range::LogNormalNull;

/// What the hourly volume of a profile says about the bytes of an honest hour; none if its range
/// cannot be read as a law.
pub fn hourly_volume(volume: &Volume) -> Option<LogNormalNull> {
    let (lo, hi) = ends(volume.range.lo, volume.range.hi, volume.baseline);
    LogNormalNull::from_range(lo, hi, volume.range.coverage).ok()
}
