//! Who is spoken to, and how: (destination, protocol) pairs that honour both written shares.
//!
//! A profile writes the shares of destinations and of protocols side by side. Which protocol goes
//! to which destination follows from what both are (an NTP server speaks NTP) and from the two
//! margins, by iterative proportional fitting (Deming and Stephan, 1940).

use andon_schemas::profile::{Destination, Profile, Protocol};

/// Affinity of a pair that nothing speaks for: it occurs only where the margins force it.
const UNLIKELY: f64 = 1e-6;
const ROUNDS: usize = 400;

/// Shares of (destination, protocol) pairs of a profile, row by destination; they sum to 1.
///
/// `roles` are the roles of each destination, and `allowed` says whether the segments let a pair
/// pass. Pairs that are not allowed have share 0, and the rest make up for them.
pub(crate) fn pair_shares(
    profile: &Profile,
    roles: &[Vec<String>],
    allowed: &dyn Fn(usize, usize) -> bool,
) -> Vec<Vec<f64>> {
    let rows = written(profile.destinations.iter().map(|d| d.share));
    let columns = written(profile.protocols.iter().map(|p| p.share));
    let mut shares: Vec<Vec<f64>> = (0..rows.len())
        .map(|d| {
            (0..columns.len())
                .map(|p| {
                    let fits = affinity(&profile.destinations[d], &roles[d], &profile.protocols[p]);
                    if allowed(d, p) { fits } else { 0.0 }
                })
                .collect()
        })
        .collect();
    for _ in 0..ROUNDS {
        for (row, wanted) in shares.iter_mut().zip(&rows) {
            scale(row.iter_mut(), *wanted);
        }
        for (p, wanted) in columns.iter().enumerate() {
            scale(shares.iter_mut().map(|row| &mut row[p]), *wanted);
        }
    }
    scale(shares.iter_mut().flatten(), 1.0);
    shares
}

fn scale<'a>(cells: impl Iterator<Item = &'a mut f64>, wanted: f64) {
    let cells: Vec<&mut f64> = cells.collect();
    let sum: f64 = cells.iter().map(|c| **c).sum();
    if sum > 0.0 {
        for cell in cells {
            *cell *= wanted / sum;
        }
    }
}

/// Written shares; those left out divide what remains equally. The result sums to 1.
#[expect(
    clippy::cast_precision_loss,
    reason = "a profile has a handful of entries"
)]
fn written(shares: impl Iterator<Item = Option<f64>>) -> Vec<f64> {
    let shares: Vec<Option<f64>> = shares.collect();
    let sum: f64 = shares.iter().flatten().sum();
    let open = shares.iter().filter(|s| s.is_none()).count();
    // A list that is written out to 100 % still lets its unwritten entries occur.
    let rest = (1.0 - sum).max(if open > 0 { 0.01 } else { 0.0 }) / open.max(1) as f64;
    let filled: Vec<f64> = shares.iter().map(|s| s.unwrap_or(rest)).collect();
    let total: f64 = filled.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    filled.iter().map(|s| s / total).collect()
}

/// How well a protocol fits a destination, by the roles and the name of the destination.
fn affinity(destination: &Destination, roles: &[String], protocol: &Protocol) -> f64 {
    const SERVICES: [(&str, &str); 3] = [("ntp", "ntp"), ("dns", "dns"), ("syslog", "syslog")];
    let name = destination.target.to_string();
    let is = |what: &str| roles.iter().any(|r| r == what) || name.contains(what);
    for (role, service) in SERVICES {
        match (is(role), protocol.name.contains(service)) {
            (true, true) => return 1.0,
            (true, false) | (false, true) => return UNLIKELY,
            (false, false) => {}
        }
    }
    // Safety controllers speak the field bus of the line, not the protocol of the records.
    let fieldbus = ["ethernet-ip", "profinet", "cip", "safety"]
        .iter()
        .any(|bus| protocol.name.contains(bus));
    if destination.safety || is("safety") {
        if fieldbus { 1.0 } else { 1e-3 }
    } else {
        1.0
    }
}
