//! Samples of bounded size, and what their middle and their ends are, whatever a few of them say.

/// Most values kept of one thing.
const KEPT_MAX: usize = 200_000;

/// Values of one thing: all of them, or of too many every so-manieth.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    values: Vec<f32>,
    /// One in so many is kept.
    every: u64,
    seen: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            every: 1,
            seen: 0,
        }
    }
}

impl Sample {
    /// Takes a value; one that is not a number is none.
    pub(super) fn push(&mut self, value: f32) {
        if !value.is_finite() {
            return;
        }
        if self.seen.is_multiple_of(self.every) {
            self.values.push(value);
            if self.values.len() >= KEPT_MAX {
                let mut keep = false;
                self.values.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.every *= 2;
            }
        }
        self.seen += 1;
    }

    /// How many values were taken.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// The values kept, in ascending order.
    pub(super) fn sorted(&self) -> Vec<f32> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f32::total_cmp);
        sorted
    }
}

/// The value below which the share `q` of ascending values lies; 0 of none.
pub(super) fn quantile(sorted: &[f32], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a position within a sample"
    )]
    let at = ((q.clamp(0.0, 1.0) * last as f64).round() as usize).min(last);
    f64::from(sorted[at])
}

/// Standard deviation as the middle half of the values shows it: 1.4826 times the median distance
/// from the median, which half of the values may be wrong for.
pub(super) fn robust_deviation(sorted: &[f32]) -> f64 {
    let middle = quantile(sorted, 0.5);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a distance between two of them"
    )]
    let mut distances: Vec<f32> = sorted
        .iter()
        .map(|value| (f64::from(*value) - middle).abs() as f32)
        .collect();
    distances.sort_by(f32::total_cmp);
    1.4826 * quantile(&distances, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_wrong_values_move_nothing() {
        let mut sample = Sample::default();
        for at in 0..1_000_u16 {
            sample.push(f32::from(at % 100));
        }
        for _ in 0..20 {
            sample.push(1e9);
        }
        sample.push(f32::NAN);
        let sorted = sample.sorted();
        assert!((quantile(&sorted, 0.5) - 50.0).abs() < 2.0);
        assert!((robust_deviation(&sorted) - 37.0).abs() < 2.0);
        assert!(quantile(&[], 0.5).abs() < 1e-12);
    }

    #[test]
    fn of_too_many_values_an_even_part_is_kept() {
        let mut sample = Sample::default();
        for at in 0..1_000_000_u32 {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            sample.push((at % 1_000) as f32);
        }
        let sorted = sample.sorted();
        assert!(sorted.len() < KEPT_MAX && sorted.len() > KEPT_MAX / 4);
        assert_eq!(sample.seen(), 1_000_000);
        assert!((quantile(&sorted, 0.9) - 900.0).abs() < 10.0);
    }
}
