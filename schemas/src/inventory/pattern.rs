//! Numbered groups: `cnc-fanuc-01-{0001..0030}` and `10.1.10.1+`.

use std::net::IpAddr;

use crate::problems::{Refusal, quoted};

/// Most devices of one group.
pub(crate) const GROUP_MAX: usize = 100_000;

/// A text with one numbered place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pattern<'t> {
    before: &'t str,
    after: &'t str,
    first: usize,
    count: usize,
    width: usize,
}

impl<'t> Pattern<'t> {
    /// Reads a pattern; a text without braces stands for itself alone.
    pub(crate) fn read(text: &'t str) -> Result<Self, Refusal> {
        let refusal = |what: &str| {
            Refusal::new(format!("{} {what}", quoted(text)))
                .hint("Number a group as `cnc-{0001..0030}`, with one pair of braces.")
        };
        let Some((before, rest)) = text.split_once('{') else {
            if text.contains('}') {
                return Err(refusal("closes a brace that was not opened"));
            }
            return Ok(Self {
                before: text,
                after: "",
                first: 0,
                count: 0,
                width: 0,
            });
        };
        let (inside, after) = rest
            .split_once('}')
            .ok_or_else(|| refusal("has an open brace"))?;
        if after.contains(['{', '}']) {
            return Err(refusal("has more than one pair of braces"));
        }
        let (first, last) = inside
            .split_once("..")
            .ok_or_else(|| refusal("has no range"))?;
        let number = |digits: &str| -> Option<usize> {
            let plain =
                (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let (Some(low), Some(high)) = (number(first), number(last)) else {
            return Err(refusal("has no range of numbers"));
        };
        if low > high {
            return Err(refusal("counts downwards"));
        }
        let count = high - low + 1;
        if count > GROUP_MAX {
            return Err(refusal(&format!("makes more than {GROUP_MAX} devices")));
        }
        Ok(Self {
            before,
            after,
            first: low,
            count,
            // `{1..30}` counts 1, 2, …; `{01..30}` keeps its zeros.
            width: if first.starts_with('0') {
                first.len()
            } else {
                0
            },
        })
    }

    /// How many texts it makes.
    pub(crate) fn len(&self) -> usize {
        self.count.max(1)
    }

    /// The text at a position, from 0.
    pub(crate) fn at(&self, position: usize) -> String {
        if self.count == 0 {
            return self.before.to_owned();
        }
        let number = self.first + position;
        format!(
            "{}{number:0width$}{}",
            self.before,
            self.after,
            width = self.width
        )
    }
}

/// Reads `10.1.10.1+` as consecutive addresses.
pub(crate) fn consecutive(text: &str, count: usize) -> Result<Vec<IpAddr>, Refusal> {
    let first = address(text.trim_end_matches('+'))?;
    let ends = || {
        Refusal::new(format!(
            "{count} addresses from `{first}` leave the address space"
        ))
    };
    (0..count)
        .map(|step| {
            let step = u32::try_from(step).ok()?;
            Some(match first {
                IpAddr::V4(v4) => IpAddr::V4(v4.to_bits().checked_add(step)?.into()),
                IpAddr::V6(v6) => IpAddr::V6(v6.to_bits().checked_add(step.into())?.into()),
            })
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(ends)
}

/// One address.
pub(crate) fn address(text: &str) -> Result<IpAddr, Refusal> {
    text.parse().map_err(|_| {
        let cause = format!("{} is not an address", quoted(text));
        Refusal::new(cause).hint("Write it as `10.2.50.15`, or `10.2.50.15+` for a group.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_numbered_with_their_zeros() {
        let pattern = Pattern::read("cnc-{0009..0011}-x").unwrap();
        let all: Vec<_> = (0..pattern.len()).map(|at| pattern.at(at)).collect();
        assert_eq!(all, ["cnc-0009-x", "cnc-0010-x", "cnc-0011-x"]);
        assert_eq!(Pattern::read("a{9..10}").unwrap().at(1), "a10");
        assert_eq!(Pattern::read("plain").unwrap().at(0), "plain");
    }

    #[test]
    fn what_is_no_group_is_refused() {
        for bad in [
            "a{1..",
            "a{1}",
            "a{2..1}",
            "a{x..y}",
            "a{1..2}{1..2}",
            "a}",
            "a{1..999999}",
        ] {
            assert!(Pattern::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_count_on_across_the_byte() {
        let all = consecutive("10.0.0.255+", 2).unwrap();
        assert_eq!(all[1].to_string(), "10.0.1.0");
        assert!(consecutive("255.255.255.255+", 2).is_err());
        assert!(consecutive("ten", 2).is_err());
    }
}
