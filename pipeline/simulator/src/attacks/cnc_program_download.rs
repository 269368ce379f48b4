//! The server that sends a CNC controller its jobs loads a program into it and stops it, in the
//! middle of a shift: somebody else has taken the server over.
//!
//! Ground truth: one connection from a peer that may connect, on a port that the profile lists, of a
//! harmless size. Nothing but the commands in it is wrong. HIGH on the controller, which did
//! nothing itself.

use andon_schemas::grade::Grade;
use andon_schemas::ot_command::Commands;
use andon_schemas::time::Span;

use super::scene::{Scene, Victim};
use super::talk::Talk;
use super::{AttackKind, Script};

pub(super) const KIND: AttackKind = AttackKind {
    name: "cnc-program-download",
    question: "is somebody changing or stopping the program of a machine?",
    expected: Grade::High,
    when: "in working hours",
    later: false,
    script,
};

const COMMANDS: &str = "cip.download_transfer=48 cip.initiate_download=1 cip.stop=1";
const PORT: u16 = 44_818;

fn script(scene: &Scene<'_>) -> Result<Script, String> {
    let lists_commands = |v: &Victim<'_>| {
        let commands = v.class.profile.commands.as_ref();
        v.is(&["cnc"]) && commands.is_some_and(|lists| lists.accepts.is_some())
    };
    let what = "CNC controller whose profile lists the commands it accepts";
    let cnc = scene.victim(what, 7, lists_commands)?;
    let mut servers = scene.inventory.with_role("mes");
    let peer = servers.find_map(|server| server.addresses.first().copied());
    let peer = peer.ok_or("the inventory has no server with the role `mes`")?;
    let start = scene.at_work(&cnc, 25, 2)?;
    let over = start + Span::from_secs(38);
    let end = over + Span::SECOND;
    let mut dice = scene.dice(&cnc, KIND.name);
    let talk = Talk::tcp(peer, (cnc.unit.address, PORT), "enip", start, &mut dice)
        .telling(Commands::parse(COMMANDS)?);
    let mut label = KIND.label(
        &cnc,
        start,
        end,
        "a program is loaded over CIP and the controller stopped, by a server that may connect",
    );
    label.peer = Some(peer);
    label.detectors = vec!["unknown_command".to_owned()];
    Ok(Script {
        labels: vec![label],
        needs: end,
        rows: vec![talk.ended(over, 210_000, 12_000)],
        changes: Vec::new(),
    })
}
