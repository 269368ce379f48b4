//! The commands of one flow with their counts, as one text.
//!
//! `modbus.read_coils=120 modbus.write_single_coil=3 resp:bacnet.i_am=1`: names in alphabetical
//! order, each with how often it was given. It went from the originator to the responder, unless
//! `resp:` says that the responder gave it, as peers of `BACnet` do. One spelling serves every form
//! of a record: JSON, Arrow, Parquet, Avro.

use std::collections::BTreeMap;

use crate::observation::Role;

/// Longest accepted text of commands, in bytes: every command of one protocol, both ways.
pub const COMMANDS_BYTES_MAX: usize = 8 << 10;

const BY_RESPONDER: &str = "resp:";

/// One command and how often it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted<'a> {
    /// Which end of the flow gave it.
    pub by: Role,
    /// Its name. It need not be one that this build knows.
    pub name: &'a str,
    /// How often, at least once.
    pub count: u64,
}

/// The commands of one flow, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands(Box<str>);

impl Commands {
    /// The commands that were given so often; `None` if there are none. Counts of one command add.
    pub fn of<'a>(counted: impl IntoIterator<Item = Counted<'a>>) -> Option<Self> {
        let mut sums: BTreeMap<(u8, &str), u64> = BTreeMap::new();
        for Counted { by, name, count } in counted {
            let sum = sums.entry((by as u8, name)).or_default();
            *sum = sum.saturating_add(count);
        }
        let one = |((by, name), count): ((u8, &str), u64)| {
            let by = if by == Role::Responder as u8 {
                BY_RESPONDER
            } else {
                ""
            };
            format!("{by}{name}={count}")
        };
        let given = sums.into_iter().filter(|(_, count)| *count > 0);
        let texts: Vec<_> = given.map(one).collect();
        (!texts.is_empty()).then(|| Self(texts.join(" ").into()))
    }

    /// Reads commands from their text; `None` if it is empty.
    ///
    /// # Errors
    /// Says which part of the text is no command with a count.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.len() > COMMANDS_BYTES_MAX {
            return Err(format!(
                "commands have {} bytes, at most {COMMANDS_BYTES_MAX}",
                text.len()
            ));
        }
        let parts: Result<Vec<_>, _> = text.split_ascii_whitespace().map(part).collect();
        Ok(Self::of(parts?))
    }

    /// Their text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn part(text: &str) -> Result<Counted<'_>, String> {
    read(text).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        format!("{shown:?} is not a command with its count, `modbus.read_coils=120`")
    })
}

fn read(text: &str) -> Option<Counted<'_>> {
    let (by, text) = match text.strip_prefix(BY_RESPONDER) {
        Some(text) => (Role::Responder, text),
        None => (Role::Originator, text),
    };
    let (name, count) = text.rsplit_once('=')?;
    let (protocol, action) = name.split_once('.')?;
    let plain = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let count: u64 = count.parse().ok()?;
    (plain(protocol) && plain(action) && count > 0).then_some(Counted { by, name, count })
}

/// The commands in a text, in their order; what is none is passed over, for a column may hold
/// anything.
pub fn counted(text: &str) -> impl Iterator<Item = Counted<'_>> {
    text.split_ascii_whitespace().filter_map(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_ordered_and_counts_of_the_same_add() {
        let text = "modbus.write_single_coil=2 resp:bacnet.i_am=1 modbus.read_coils=3 \
                    modbus.write_single_coil=1";
        let commands = Commands::parse(text).unwrap().unwrap();
        assert_eq!(
            commands.as_str(),
            "modbus.read_coils=3 modbus.write_single_coil=3 resp:bacnet.i_am=1"
        );
        let by: Vec<_> = counted(commands.as_str()).map(|one| one.by).collect();
        assert_eq!(by, [Role::Originator, Role::Originator, Role::Responder]);
        assert_eq!(Commands::parse("  ").unwrap(), None);
    }

    #[test]
    fn what_is_no_command_is_refused_and_said() {
        for bad in [
            "modbus",
            "modbus.read_coils",
            "modbus.read_coils=0",
            "modbus.read_coils=-1",
            "modbus.=1",
            ".x=1",
            "Modbus.read=1",
            "modbus.read_coils=18446744073709551616",
        ] {
            let error = Commands::parse(bad).unwrap_err();
            assert!(
                error.contains(bad) && error.contains("is not a command"),
                "{error}"
            );
        }
        let long = "a.b=1 ".repeat(COMMANDS_BYTES_MAX);
        assert!(Commands::parse(&long).unwrap_err().contains("at most"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            counts in prop::collection::vec((any::<bool>(), "[a-z][a-z0-9_]{0,8}", 1_u64..), 0..9),
        ) {
            let names: Vec<_> = counts.iter().map(|(_, name, _)| format!("x.{name}")).collect();
            let role = |responder| if responder { Role::Responder } else { Role::Originator };
            let all = counts.iter().zip(&names).map(|((responder, _, count), name)| Counted {
                by: role(*responder), name, count: *count,
            });
            let commands = Commands::of(all);
            let text = commands.as_ref().map_or("", Commands::as_str);
            prop_assert_eq!(&Commands::parse(text).unwrap(), &commands);
            prop_assert_eq!(counted(text).count(), text.split(' ').filter(|t| !t.is_empty()).count());
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let readable = counted(&text).count();
            if let Ok(commands) = Commands::parse(&text) {
                prop_assert!(commands.is_some() == (readable > 0));
            }
        }
    }
}
