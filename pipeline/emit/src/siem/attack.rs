//! Names of MITRE ATT&CK for ICS, for what receivers show beside an id. The ids are those of
//! version 18, the last one without sub-techniques; a receiver finds the later ones by them.

/// The version of ATT&CK whose ids these are.
pub const ATTACK_VERSION: &str = "18.1";

/// A goal of an attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tactic {
    /// `TA0101`.
    pub id: &'static str,
    /// As MITRE names it.
    pub name: &'static str,
}

/// A way to a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Technique {
    /// `T0885`.
    pub id: &'static str,
    /// As MITRE names it.
    pub name: &'static str,
    /// What it serves.
    pub tactics: &'static [Tactic],
}

macro_rules! tactics {
    ($($constant:ident = $id:literal $name:literal;)+) => {
        $(const $constant: Tactic = Tactic { id: $id, name: $name };)+
    };
}

tactics! {
    COLLECTION = "TA0100" "Collection";
    COMMAND_AND_CONTROL = "TA0101" "Command and Control";
    DISCOVERY = "TA0102" "Discovery";
    EVASION = "TA0103" "Evasion";
    EXECUTION = "TA0104" "Execution";
    IMPACT = "TA0105" "Impact";
    IMPAIR = "TA0106" "Impair Process Control";
    INHIBIT = "TA0107" "Inhibit Response Function";
    INITIAL_ACCESS = "TA0108" "Initial Access";
    LATERAL = "TA0109" "Lateral Movement";
    PERSISTENCE = "TA0110" "Persistence";
}

const fn of(id: &'static str, name: &'static str, tactics: &'static [Tactic]) -> Technique {
    Technique { id, name, tactics }
}

/// Every technique that a detector or a command of a protocol names, in order of their ids.
const TECHNIQUES: &[Technique] = &[
    of("T0802", "Automated Collection", &[COLLECTION]),
    of("T0803", "Block Command Message", &[INHIBIT]),
    of("T0804", "Block Reporting Message", &[INHIBIT]),
    of("T0806", "Brute Force I/O", &[IMPAIR]),
    of("T0809", "Data Destruction", &[INHIBIT]),
    of("T0814", "Denial of Service", &[INHIBIT]),
    of("T0815", "Denial of View", &[IMPACT]),
    of("T0816", "Device Restart/Shutdown", &[INHIBIT]),
    of("T0830", "Adversary-in-the-Middle", &[COLLECTION]),
    of("T0831", "Manipulation of Control", &[IMPACT]),
    of("T0832", "Manipulation of View", &[IMPACT]),
    of("T0836", "Modify Parameter", &[IMPAIR]),
    of("T0840", "Network Connection Enumeration", &[DISCOVERY]),
    of("T0843", "Program Download", &[LATERAL]),
    of("T0845", "Program Upload", &[COLLECTION]),
    of("T0846", "Remote System Discovery", &[DISCOVERY]),
    of("T0848", "Rogue Master", &[INITIAL_ACCESS]),
    of("T0851", "Rootkit", &[EVASION, INHIBIT]),
    of("T0855", "Unauthorized Command Message", &[IMPAIR]),
    of("T0856", "Spoof Reporting Message", &[EVASION, IMPAIR]),
    of("T0857", "System Firmware", &[INHIBIT, PERSISTENCE]),
    of("T0858", "Change Operating Mode", &[EXECUTION, EVASION]),
    of("T0859", "Valid Accounts", &[LATERAL, PERSISTENCE]),
    of("T0861", "Point & Tag Identification", &[COLLECTION]),
    of("T0862", "Supply Chain Compromise", &[INITIAL_ACCESS]),
    of("T0867", "Lateral Tool Transfer", &[LATERAL]),
    of("T0868", "Detect Operating Mode", &[COLLECTION]),
    of(
        "T0869",
        "Standard Application Layer Protocol",
        &[COMMAND_AND_CONTROL],
    ),
    of("T0878", "Alarm Suppression", &[INHIBIT]),
    of("T0879", "Damage to Property", &[IMPACT]),
    of("T0881", "Service Stop", &[INHIBIT]),
    of("T0882", "Theft of Operational Information", &[IMPACT]),
    of("T0883", "Internet Accessible Device", &[INITIAL_ACCESS]),
    of("T0885", "Commonly Used Port", &[COMMAND_AND_CONTROL]),
    of("T0886", "Remote Services", &[INITIAL_ACCESS, LATERAL]),
    of("T0888", "Remote System Information Discovery", &[DISCOVERY]),
    of("T0889", "Modify Program", &[PERSISTENCE]),
    of("T0892", "Change Credential", &[INHIBIT]),
];

/// What an id stands for, if it is one of those that we give.
pub fn technique(id: &str) -> Option<&'static Technique> {
    let at = TECHNIQUES.binary_search_by(|known| known.id.cmp(id)).ok()?;
    TECHNIQUES.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_complete_in_itself() {
        assert!(TECHNIQUES.is_sorted_by(|a, b| a.id < b.id));
        for known in TECHNIQUES {
            assert!(!known.tactics.is_empty(), "{}", known.id);
            assert_eq!(technique(known.id), Some(known));
        }
        assert_eq!(technique("T9999"), None);
    }
}
