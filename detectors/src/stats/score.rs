//! From evidence to the score people read: 0 to 100, 25 points per power of ten.
//!
//! Evidence of 10 device-days reads 25 (LOW), 100 reads 50 (MEDIUM), 1,000 reads 75 (HIGH) and
//! 10,000 reads 100 (CRITICAL); 25 points are exactly the factor ten of the hysteresis.

use andon_schemas::grade::Grade;

/// Evidence, in device-days per false alarm, at which each [`Grade`] begins, mildest first.
pub const LEVELS: [f32; 4] = [10.0, 100.0, 1_000.0, 10_000.0];

/// The highest score a finding may show that is capped at this grade: one point below the next.
///
/// Findings on written ranges are capped at LOW until a profile is calibrated, findings about an
/// unproven sender at MEDIUM.
pub const fn score_cap(grade: Grade) -> f32 {
    match grade {
        Grade::Low => 49.0,
        Grade::Medium => 74.0,
        Grade::High => 99.0,
        Grade::Critical => 100.0,
    }
}

/// `clamp(25 log10 M, 0, 100)` of evidence in device-days; evidence that is not a number is none.
pub fn score_of(evidence: f32) -> f32 {
    if evidence > 1.0 {
        (25.0 * evidence.log10()).min(100.0)
    } else {
        0.0
    }
}

/// The grade that evidence alone carries, `None` below LOW.
pub fn grade_of(evidence: f32) -> Option<Grade> {
    let reached = LEVELS
        .iter()
        .take_while(|level| evidence >= **level)
        .count();
    reached.checked_sub(1).map(|index| Grade::ALL[index])
}

/// The evidence that a score stands for: the inverse of [`score_of`] between 0 and 100.
pub fn evidence_of(score: f32) -> f32 {
    10.0_f32.powf(score.clamp(0.0, 100.0) / 25.0)
}

/// Evidence limited to what a finding capped at `cap` may show.
///
/// Capping evidence instead of score keeps the two telling the same story.
pub fn capped(evidence: f32, cap: Grade) -> f32 {
    match cap {
        Grade::Critical => evidence,
        _ => evidence.min(evidence_of(score_cap(cap))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scores_and_grades_meet_at_the_levels() {
        for ((level, score), grade) in LEVELS.iter().zip([25.0, 50.0, 75.0, 100.0]).zip(Grade::ALL)
        {
            assert!((score_of(*level) - score).abs() < 1e-4);
            assert_eq!(grade_of(*level), Some(*grade));
            assert!(grade_of(*level * 0.999) < Some(*grade));
        }
        assert_eq!(grade_of(9.0), None);
    }

    #[test]
    fn a_cap_binds_grade_and_score_together() {
        for cap in [Grade::Low, Grade::Medium, Grade::High] {
            let evidence = capped(1e30, cap);
            assert_eq!(grade_of(evidence), Some(cap));
            assert!((score_of(evidence) - score_cap(cap)).abs() < 1e-3);
        }
    }

    proptest! {
        #[test]
        fn every_evidence_has_a_score(evidence in proptest::num::f32::ANY) {
            prop_assert!((0.0..=100.0).contains(&score_of(evidence)));
        }
    }
}
