//! What one device tells another to do in the protocols of the plant: read a register, stop the
//! controller, load a program.
//!
//! A command is named `protocol.action`, the action in the words of the protocol's own standard:
//! `modbus.write_single_register`, `s7comm.plc_stop`. Codes that no table names go under
//! `protocol.other`, so that the set of names is finite and a profile can be checked against it.

mod counts;
mod table;

pub use counts::{COMMANDS_BYTES_MAX, Commands, Counted, counted};
pub use table::REGISTRY;

use serde::{Deserialize, Serialize};

use crate::grade::text_scale;
use crate::problems::{Refusal, quoted, suggestion};

/// What a command does to the device that gets it, from harmless to grave.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It opens, keeps or closes a session.
    Session,
    /// It asks for values or for what the device is.
    Read,
    /// It changes values, settings or the clock.
    Write,
    /// It takes the program or files out of the device.
    Upload,
    /// It puts a program, a configuration or firmware into the device, or deletes one.
    Download,
    /// It starts, stops or restarts the device, changes its mode, or keeps it from answering.
    Control,
}

text_scale!(Effect {
    Session => "session", Read => "read", Write => "write", Upload => "upload",
    Download => "download", Control => "control",
});

impl Effect {
    /// What it may be in an attack, as ids of ATT&CK for ICS (18.1), where a command is not known
    /// to be something more precise.
    const fn techniques(self) -> &'static [&'static str] {
        match self {
            // Remote System Information Discovery.
            Self::Session => &["T0888"],
            // The same, and Automated Collection.
            Self::Read => &["T0888", "T0802"],
            // Unauthorized Command Message, Modify Parameter.
            Self::Write => &["T0855", "T0836"],
            // Program Upload.
            Self::Upload => &["T0845"],
            // Program Download, Modify Program.
            Self::Download => &["T0843", "T0889"],
            // Change Operating Mode, Unauthorized Command Message.
            Self::Control => &["T0858", "T0855"],
        }
    }
}

/// A command that is known by name.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// `protocol.action`.
    pub name: &'static str,
    /// What it does.
    pub effect: Effect,
    /// The same in words, after "told it to": `stop its program`.
    pub meaning: &'static str,
    /// Ids of ATT&CK for ICS.
    pub techniques: &'static [&'static str],
}

impl Known {
    /// The protocol it belongs to: what is before the dot.
    pub fn protocol(&self) -> &'static str {
        self.name
            .split_once('.')
            .map_or("", |(protocol, _)| protocol)
    }
}

/// The command of this name.
pub fn by_name(name: &str) -> Option<&'static Known> {
    let found = REGISTRY.binary_search_by(|known| known.name.cmp(name));
    found.ok().map(|at| &REGISTRY[at])
}

/// Reads a command as a profile writes it, by its name, or all commands of one protocol and effect,
/// `modbus/read`, as the names it stands for, in their order.
///
/// # Errors
/// Says that there is no such command, and which may have been meant.
pub fn read_names(text: &str) -> Result<Vec<&'static str>, Refusal> {
    let folded = text.trim().to_lowercase();
    if let Some((protocol, effect)) = folded.split_once('/') {
        return group(text, protocol, effect);
    }
    if let Some(known) = by_name(&folded) {
        return Ok(vec![known.name]);
    }
    let refusal = Refusal::new(format!("no command is known as {}", quoted(text)));
    if let Some(near) = suggestion(&folded, REGISTRY.iter().map(|known| known.name)) {
        return Err(refusal.hint(near));
    }
    Err(match folded.split_once('.') {
        Some((protocol, _)) if protocols().contains(&protocol) => {
            let names = of_protocol(protocol).map(|known| known.name);
            let names: Vec<_> = names.collect();
            refusal.hint(format!("Known: {}.", names.join(", ")))
        }
        _ => refusal.hint(format!(
            "Write it as `protocol.action`; the protocols are {}.",
            protocols().join(", ")
        )),
    })
}

fn group(text: &str, protocol: &str, effect: &str) -> Result<Vec<&'static str>, Refusal> {
    if !protocols().contains(&protocol) {
        let cause = format!("no commands are known of the protocol in {}", quoted(text));
        let mut refusal = Refusal::new(cause);
        refusal.hint = suggestion(protocol, protocols());
        return Err(refusal);
    }
    let Ok(effect) = effect.parse::<Effect>() else {
        let cause = format!("{} does not name what its commands do", quoted(text));
        let mut refusal = Refusal::new(cause);
        refusal.hint = suggestion(effect, Effect::ALL.iter().map(|effect| effect.as_str()));
        return Err(refusal);
    };
    let names: Vec<_> = of_protocol(protocol)
        .filter(|known| known.effect == effect)
        .map(|known| known.name)
        .collect();
    if names.is_empty() {
        let cause = format!("no command of {protocol} is known to {effect}");
        return Err(Refusal::new(cause).hint("Leave it out."));
    }
    Ok(names)
}

fn of_protocol(protocol: &str) -> impl Iterator<Item = &'static Known> {
    REGISTRY
        .iter()
        .filter(move |known| known.protocol() == protocol)
}

/// The protocols whose commands are known, in alphabetical order.
pub fn protocols() -> Vec<&'static str> {
    let mut names: Vec<_> = REGISTRY.iter().map(Known::protocol).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_every_name_has_a_protocol_and_an_action() {
        assert!(REGISTRY.is_sorted_by(|a, b| a.name < b.name));
        for known in REGISTRY {
            let (protocol, action) = known.name.split_once('.').unwrap();
            let plain = |text: &str| {
                !text.is_empty()
                    && text
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            };
            assert!(plain(protocol) && plain(action), "{}", known.name);
            assert!(!known.techniques.is_empty() && !known.meaning.is_empty());
            assert_eq!(by_name(known.name).unwrap().name, known.name);
        }
        for protocol in protocols() {
            assert!(
                by_name(&format!("{protocol}.other")).is_some(),
                "{protocol}"
            );
        }
    }

    #[test]
    fn a_group_stands_for_the_commands_that_do_the_same() {
        let reads = read_names("modbus/read").unwrap();
        assert!(reads.contains(&"modbus.read_coils"), "{reads:?}");
        assert!(!reads.contains(&"modbus.write_single_coil"), "{reads:?}");
        assert_eq!(read_names("S7comm.PLC_stop").unwrap(), ["s7comm.plc_stop"]);
    }

    #[test]
    fn a_misspelt_command_is_told_what_may_have_been_meant() {
        for (text, hint) in [
            ("modbus.read_coil", "Did you mean `modbus.read_coils`?"),
            ("s7com/read", "Did you mean `s7comm`?"),
            ("modbus/reads", "Did you mean `read`?"),
            ("dnp3/upload", "Leave it out."),
            (
                "powerlink.reset_node",
                "Write it as `protocol.action`; the protocols are bacnet, cip, dnp3, iec104, \
                 modbus, opcua, s7comm, s7comm_plus.",
            ),
        ] {
            let refusal = read_names(text).unwrap_err();
            assert_eq!(refusal.hint.as_deref(), Some(hint), "{text}");
        }
    }
}
