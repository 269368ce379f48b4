//! Current draw as a mixture of two states: where the machine idles, and where it works.

use super::sample::{Sample, quantile};

/// Fewest samples in which states are looked for.
const SAMPLES_MIN: u64 = 500;
/// Fewest samples of a state, as a share of all.
const SHARE_MIN: f64 = 0.02;
/// Below this the machine is off, amperes: no state of work.
const OFF: f32 = 0.05;
/// Two states lie this many times the spread of the wider one apart, on the scale of logarithms.
const APART: f64 = 2.0;

/// The two states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct States {
    /// Amperes while idle: 2.5 % are less than the one, 2.5 % more than the other.
    pub(super) idle: (f64, f64),
    /// While working.
    pub(super) active: (f64, f64),
    /// The largest that was seen.
    pub(super) most: f64,
}

/// Splits samples in two where the variance within both is least (Otsu 1979, on logarithms).
pub(super) fn states(current: &Sample) -> Option<States> {
    if current.seen() < SAMPLES_MIN {
        return None;
    }
    let sorted: Vec<f32> = current.sorted().into_iter().filter(|a| *a > OFF).collect();
    let logs: Vec<f64> = sorted.iter().map(|a| f64::from(*a).ln()).collect();
    let cut = otsu(&logs)?;
    let (low, high) = sorted.split_at(cut);
    let apart = {
        let (low, high) = logs.split_at(cut);
        let ((m1, s1), (m2, s2)) = (moments(low), moments(high));
        (m2 - m1) >= APART * (s1 + s2)
    };
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = low.len().min(high.len()) as f64 / sorted.len() as f64;
    if !apart || share < SHARE_MIN {
        return None;
    }
    let ends = |part: &[f32]| (quantile(part, 0.025), quantile(part, 0.975));
    Some(States {
        idle: ends(low),
        active: ends(high),
        most: quantile(high, 1.0),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
fn moments(part: &[f64]) -> (f64, f64) {
    let n = part.len().max(1) as f64;
    let mean = part.iter().sum::<f64>() / n;
    let variance = part.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// Where to cut ascending values.
#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
fn otsu(values: &[f64]) -> Option<usize> {
    let all: f64 = values.iter().sum();
    let n = values.len() as f64;
    let (mut below, mut best) = (0.0, None);
    let mut most = 0.0;
    for cut in 1..values.len() {
        below += values[cut - 1];
        let (n1, n2) = (cut as f64, n - cut as f64);
        let between = n1 * n2 * (below / n1 - (all - below) / n2).powi(2);
        if between > most {
            (most, best) = (between, Some(cut));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(parts: &[(f32, f32, u32)]) -> Sample {
        let mut sample = Sample::default();
        for (low, high, count) in parts {
            for at in 0..*count {
                #[expect(clippy::cast_precision_loss, reason = "small")]
                sample.push(low + (high - low) * at as f32 / *count as f32);
            }
        }
        sample
    }

    #[test]
    fn idle_and_work_are_told_apart_and_off_is_neither() {
        let found = states(&sample(&[
            (0.0, 0.01, 300),
            (0.5, 1.0, 600),
            (2.0, 8.0, 900),
        ]))
        .unwrap();
        assert!(
            (found.idle.0 - 0.5).abs() < 0.03 && (found.idle.1 - 1.0).abs() < 0.03,
            "{found:?}"
        );
        assert!((found.active.0 - 2.0).abs() < 0.3 && (found.active.1 - 8.0).abs() < 0.3);
    }

    #[test]
    fn one_state_is_not_two() {
        assert_eq!(states(&sample(&[(1.0, 2.0, 2_000)])), None);
        assert_eq!(states(&sample(&[(0.5, 1.0, 100)])), None);
    }
}
