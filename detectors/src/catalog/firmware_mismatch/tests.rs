//! Firmware reports, right and wrong.

use super::*;
use crate::stage::{Stage, check, seen, time};
use andon_schemas::columns::AttestationRow;

const PROFILE: &str = "
firmware:
  - version: 31i-B5
    sha256: 0101010101010101010101010101010101010101010101010101010101010101
    released: 2024-03-01
  - version: 31i-B5-Plus
    sha256:
      - 0202020202020202020202020202020202020202020202020202020202020202
      - 0303030303030303030303030303030303030303030303030303030303030303
    released: 2025-09-15
";

fn facts(stage: &Stage, symbol: char) -> AttestationFacts<'_> {
    const OLD: &str = "0101010101010101010101010101010101010101010101010101010101010101";
    const NEW: &str = "0202020202020202020202020202020202020202020202020202020202020202";
    const TWIN: &str = "0303030303030303030303030303030303030303030303030303030303030303";
    let (version, digest) = match symbol {
        'o' | 'O' => ("31i-B5", Some(OLD)),
        'x' => ("31i-B5-Plus", Some(OLD)),
        'v' => ("31i-B5-Plus", None),
        't' => ("31i-B5-Plus", Some(TWIN)),
        'u' | 'U' => ("31i-B9", Some(NEW)),
        _ => ("31i-B5-Plus", Some(NEW)),
    };
    AttestationFacts {
        device: stage.device(),
        attestation: AttestationRow {
            version,
            digest,
            tpm_ok: match symbol {
                'f' => Some(false),
                'p' => Some(true),
                _ => None,
            },
        },
        at: time("2025-12-12T09:00:00Z"),
        maintenance_version: symbol.is_uppercase().then_some(version),
    }
}

/// o old release, n new release, t its other build, x new version with a foreign digest, v
/// version alone, u unknown version, f failed TPM quote, p passed one; capitals: a maintenance
/// window allows the version.
fn play(profile: &str, drawing: &str) {
    let stage = Stage::of(profile);
    let plan = FirmwareMismatch::plan(&stage.baseline, 0.0).unwrap();
    let mut memory = State::default();
    check(drawing, |symbol| {
        FirmwareMismatch::on_attestation(&plan, &mut memory, &facts(&stage, symbol))
    });
}

#[test]
fn known_good_firmware_is_silent_in_all_its_builds() {
    play(
        PROFILE,
        "
            ooo nn tt v p n
            ... .. .. . . .
            ",
    );
}

#[test]
fn foreign_firmware_holds_until_a_report_is_right_again() {
    play(
        PROFILE,
        "
            n xx v n  uu t  n
            . !! . o  !! o  .
            ",
    );
}

#[test]
fn an_older_release_is_a_downgrade_unless_maintenance_allows_it() {
    play(
        PROFILE,
        "
            o n o o n  O o n o
            . . ! ! o  e . . !
            ",
    );
}

#[test]
fn maintenance_allows_exactly_its_version_and_no_failed_quote() {
    play(
        PROFILE,
        "
            n U N u n  f n v p
            . e . ! o  ! . . o
            ",
    );
}

#[test]
fn a_failed_quote_needs_no_list() {
    play(
        "",
        "
            u n f n p
            . . ! . o
            ",
    );
}

#[test]
fn each_problem_has_its_sentence() {
    let stage = Stage::of(PROFILE);
    let plan = FirmwareMismatch::plan(&stage.baseline, 0.0).unwrap();
    let sentence = |symbol| {
        let mut memory = State::default();
        let good = facts(&stage, 'n');
        assert_eq!(
            FirmwareMismatch::on_attestation(&plan, &mut memory, &good),
            Signal::Quiet
        );
        let bad = facts(&stage, symbol);
        let sighting = seen(FirmwareMismatch::on_attestation(&plan, &mut memory, &bad));
        assert!(sighting.holds);
        FirmwareMismatch::assess(&plan, &sighting.inputs).sentence
    };
    assert_eq!(
        sentence('x'),
        "It runs firmware 31i-B5-Plus with digest 010101010101…, which is not a known good \
             image of that version."
    );
    assert_eq!(
        sentence('u'),
        "It runs firmware 31i-B9, which is none of the 2 known good versions of its profile."
    );
    assert_eq!(
        sentence('o'),
        "It went back to the older firmware 31i-B5 after it had run 31i-B5-Plus: a downgrade."
    );
    assert_eq!(
        sentence('f'),
        "Its security chip (TPM) did not vouch for the firmware it runs, reported as \
             31i-B5-Plus."
    );
}

#[test]
fn the_state_stays_within_its_budget() {
    assert!(size_of::<State>() <= 24);
}
