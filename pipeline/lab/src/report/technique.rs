//! What the ids of ATT&CK for ICS stand for, so that a reader need not look them up.

const NAMES: &[(&str, &str)] = &[
    ("T0802", "Automated Collection"),
    ("T0803", "Block Command Message"),
    ("T0804", "Block Reporting Message"),
    ("T0806", "Brute Force I/O"),
    ("T0809", "Data Destruction"),
    ("T0814", "Denial of Service"),
    ("T0815", "Denial of View"),
    ("T0816", "Device Restart/Shutdown"),
    ("T0830", "Adversary-in-the-Middle"),
    ("T0831", "Manipulation of Control"),
    ("T0832", "Manipulation of View"),
    ("T0836", "Modify Parameter"),
    ("T0840", "Network Connection Enumeration"),
    ("T0843", "Program Download"),
    ("T0845", "Program Upload"),
    ("T0846", "Remote System Discovery"),
    ("T0848", "Rogue Master"),
    ("T0851", "Rootkit"),
    ("T0855", "Unauthorized Command Message"),
    ("T0856", "Spoof Reporting Message"),
    ("T0857", "System Firmware"),
    ("T0858", "Change Operating Mode"),
    ("T0859", "Valid Accounts"),
    ("T0861", "Point & Tag Identification"),
    ("T0862", "Supply Chain Compromise"),
    ("T0868", "Detect Operating Mode"),
    ("T0869", "Standard Application Layer Protocol"),
    ("T0878", "Alarm Suppression"),
    ("T0879", "Damage to Property"),
    ("T0881", "Service Stop"),
    ("T0882", "Theft of Operational Information"),
    ("T0885", "Commonly Used Port"),
    ("T0886", "Remote Services"),
    ("T0888", "Remote System Information Discovery"),
    ("T0889", "Modify Program"),
    ("T0892", "Change Credential"),
];

/// The name of a technique; empty if it is not known here.
pub(super) fn name(id: &str) -> &'static str {
    let known = NAMES.iter().find(|(known, _)| *known == id);
    known.map_or("", |(_, name)| name)
}
