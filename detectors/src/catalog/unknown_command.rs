//! # Was it told to do, or did it tell another to do, what its profile does not list?
//!
//! ## What it sees
//! Commands of the plant's protocols in a flow (Modbus functions, S7 jobs, CIP services and their
//! like, as the packets or a sensor told them) that the profile's `commands:` does not list for this
//! device and this peer: a controller that is stopped, a program that is loaded or taken out, a
//! write where only reads belong. On the device that gets the command it accuses the peer, on the
//! one that gives it the device itself.
//!
//! ## When it cries wolf
//! An engineer at work who declared nothing, and rare commands that a learned profile never saw.
//!
//! ## Method
//! A rule, graded by what the command does (`Effect`): HIGH for what stops or restarts the device or
//! changes its program, MEDIUM for what changes its values or takes its program out, LOW for what
//! only reads or opens a session. It is no statistic: what may be said between two devices of a
//! plant is a short list that is written down, and a command outside it is no rarer or commoner
//! sample of anything. Its rate of false alarms is measured like that of any rule.

use std::net::IpAddr;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::address_of_key;
use andon_schemas::observation::{Role, Transport};
use andon_schemas::ot_command::{Effect, by_name, counted};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::commands::{CommandTable, Listed};
use crate::detector::{Clock, Detector, Signal};
use crate::facts::FlowFacts;
use crate::rule::{self, Words};

/// Most commands of one flow that are kept, the gravest first.
const KEPT_MAX: usize = 16;

/// Longest name that is kept; those that are known are shorter.
const NAME_BYTES_MAX: usize = 64;

pub(crate) struct UnknownCommand;

/// What it compiled from a profile.
pub(crate) struct Plan {
    table: CommandTable,
    /// The grade that the profile writes, for every effect.
    written: Option<Grade>,
}

impl Plan {
    fn grade(&self, inputs: &Inputs) -> Grade {
        let gravest = inputs.foreign.first().map_or(Effect::Read, Foreign::effect);
        self.written.unwrap_or(match gravest {
            Effect::Session | Effect::Read => Grade::Low,
            Effect::Write | Effect::Upload => Grade::Medium,
            Effect::Download | Effect::Control => Grade::High,
        })
    }
}

/// A command that the profile does not list here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Foreign {
    name: String,
    count: u64,
    /// Whether it is listed for other peers.
    for_others: bool,
}

impl Foreign {
    /// A command that nobody has named may be anything; it counts as one that changes something.
    fn effect(&self) -> Effect {
        by_name(&self.name).map_or(Effect::Write, |known| known.effect)
    }
}

/// The foreign commands of one flow that one side gave, the gravest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    peer: IpAddr,
    port: u16,
    transport: Transport,
    /// Originator: the device gave them; responder: it got them.
    role: Role,
    foreign: Vec<Foreign>,
    /// How many others there were that are not kept.
    others: usize,
}

impl Inputs {
    #[expect(clippy::cast_precision_loss, reason = "an order of size is enough")]
    fn magnitude(&self) -> f64 {
        self.foreign.iter().map(|one| one.count as f64).sum()
    }

    /// What it was told in words, with the name: `stop its program (s7comm.plc_stop)`.
    fn gravest(&self) -> String {
        let Some(Foreign { name, count, .. }) = self.foreign.first() else {
            return "do nothing".to_owned();
        };
        let times = if *count > 1 {
            format!(", {count} times")
        } else {
            String::new()
        };
        let meaning = by_name(name).map_or("do something that no table names", |k| k.meaning);
        format!("{meaning} ({name}{times})")
    }
}

impl Detector for UnknownCommand {
    const NAME: &'static str = "unknown_command";
    const QUESTION: &'static str =
        "Was it told to do, or did it tell another to do, what its profile does not list?";
    const CRIES_WOLF: &'static str = "An engineer at work who declared nothing.";
    const READS: &'static str = "commands";
    const GRADE: &'static str = "LOW to HIGH by effect";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = ();
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        let written = baseline.profile.detectors.get(Self::NAME);
        (!baseline.commands.is_empty()).then(|| Plan {
            table: baseline.commands.clone(),
            written: written.and_then(|setting| setting.grade),
        })
    }

    #[inline]
    fn on_flow(plan: &Plan, (): &mut (), facts: &FlowFacts) -> Signal<Inputs> {
        match facts.flow.commands {
            None => Signal::Quiet,
            Some(commands) => look(plan, facts, commands),
        }
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let Inputs {
            peer,
            port,
            transport,
            role,
            foreign,
            others,
        } = inputs;
        let gravest = inputs.gravest();
        let name = foreign.first().map_or("", |one| one.name.as_str());
        let for_others = foreign.first().is_some_and(|one| one.for_others);
        let more = match foreign.len() + others {
            0 | 1 => String::new(),
            2 => " Another command was not listed either.".to_owned(),
            all => format!(" {} other commands were not listed either.", all - 1),
        };
        let (told, clears) = match role {
            Role::Originator => (format!("It told {peer} to {gravest}"), format!("to {peer}")),
            Role::Responder => (
                format!("{peer} told it to {gravest}"),
                format!("from {peer}"),
            ),
        };
        let why = match (role, for_others) {
            (Role::Originator, true) => "which its profile lists for others but not for that one",
            (Role::Responder, true) => "which its profile lets others tell it but not that one",
            (Role::Originator, false) => "which is none of the commands it sends by its profile",
            (Role::Responder, false) => "which is none of the commands it accepts by its profile",
        };
        let observed: Vec<_> = foreign
            .iter()
            .map(|one| json!({ "command": one.name, "count": one.count, "effect": one.effect() }))
            .collect();
        let words = Words {
            observed: json!({
                "commands": observed, "others": others, "peer": peer, "role": role,
                "transport": transport, "port": port,
            }),
            expected: json!({
                "commands": match role {
                    Role::Originator => "those that the profile says it sends",
                    Role::Responder => "those that the profile says it accepts",
                },
                "listed_for_others": for_others,
            }),
            sentence: format!("{told}, {why}.{more}"),
            clears: format!("An hour without {name} {clears}, or the command in the profile."),
            techniques: &techniques(foreign),
        };
        rule::evidence(plan.grade(inputs), inputs.magnitude(), words)
    }
}

/// What the commands may be in an attack, of the gravest first.
fn techniques(foreign: &[Foreign]) -> Vec<&'static str> {
    let mut all: Vec<&str> = Vec::new();
    for one in foreign {
        // Unauthorized Command Message, of what has no name.
        let its = by_name(&one.name).map_or(&["T0855"][..], |known| known.techniques);
        all.extend(
            its.iter()
                .filter(|id| !all.contains(id))
                .collect::<Vec<_>>(),
        );
    }
    all
}

/// Compares the commands of a flow with the lists. Of both sides of one flow those of the side that
/// gave the gravest are told.
#[cold]
fn look(plan: &Plan, facts: &FlowFacts, commands: &str) -> Signal<Inputs> {
    let mut sides = [
        (Role::Originator, Vec::new()),
        (Role::Responder, Vec::new()),
    ];
    for one in counted(commands) {
        let gave = one.by == facts.flow.role;
        let (role, foreign) = &mut sides[usize::from(!gave)];
        let for_others = match plan.table.listed(*role, one.name, facts.flow.peer) {
            None | Some(Listed::Yes) => continue,
            Some(Listed::ForOthers) => true,
            Some(Listed::No) => false,
        };
        let name: String = one.name.chars().take(NAME_BYTES_MAX).collect();
        foreign.push(Foreign {
            name,
            count: one.count,
            for_others,
        });
    }
    for (_, foreign) in &mut sides {
        foreign.sort_by_key(|one| std::cmp::Reverse(one.effect()));
    }
    let grave = |(_, foreign): &(Role, Vec<Foreign>)| foreign.first().map(Foreign::effect);
    // What was done to the device comes first where both are as grave.
    let Some((role, mut foreign)) = sides.into_iter().max_by_key(grave) else {
        return Signal::Quiet;
    };
    if foreign.is_empty() {
        return Signal::Quiet;
    }
    let others = foreign.len().saturating_sub(KEPT_MAX);
    foreign.truncate(KEPT_MAX);
    let inputs = Inputs {
        peer: address_of_key(facts.flow.peer),
        port: facts.flow.port,
        transport: facts.flow.transport,
        role,
        foreign,
        others,
    };
    rule::broken(plan.grade(&inputs), inputs.magnitude(), inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{HISTORIAN, Stage, check, seen, time};

    const PROFILE: &str = "
commands:
  sends: [modbus/read]
  accepts:
    - modbus/read
    - { commands: [modbus/write, s7comm/download], from: [cnc-historian.mfg.local] }
";

    fn facts<'a>(stage: &'a Stage, peer: &str, role: Role, commands: &'a str) -> FlowFacts<'a> {
        let at = time("2025-12-12T09:00:00Z");
        let mut facts = stage.flow_to(at, peer, Transport::Tcp, 502);
        facts.flow.role = role;
        facts.flow.commands = (!commands.is_empty()).then_some(commands);
        facts
    }

    fn commands(symbol: char) -> &'static str {
        match symbol.to_ascii_lowercase() {
            'r' => "modbus.read_coils=7",
            'w' => "modbus.read_coils=7 modbus.write_single_coil=1",
            's' => "s7comm.plc_stop=1",
            'd' => "s7comm.request_download=2",
            'x' => "resp:modbus.write_single_coil=1",
            'n' => "vendor.something=1",
            'g' => "no command at all",
            _ => "",
        }
    }

    #[test]
    fn what_the_lists_hold_is_silent_and_everything_else_is_seen() {
        let stage = Stage::of(PROFILE);
        let plan = UnknownCommand::plan(&stage.baseline, 0.0).unwrap();
        let look = |peer: &str, symbol: char| {
            let role = if symbol.is_uppercase() {
                Role::Responder
            } else {
                Role::Originator
            };
            let facts = facts(&stage, peer, role, commands(symbol));
            UnknownCommand::on_flow(&plan, &mut (), &facts)
        };
        // r read, w read and write, s stop, d download, x a write by the other side, n a name that
        // nobody knows, g garbage, - no commands; capitals: the device was connected to.
        check(
            "
            r w s d x n g -  R W S D X N G
            . ! ! ! . ! . .  . . ! . ! ! .
            ",
            |symbol| look(HISTORIAN, symbol),
        );
        check(
            "
            r w x  R W D
            . ! !  . ! !
            ",
            |symbol| look("10.1.20.9", symbol),
        );
    }

    fn evidence(role: Role, peer: &str, commands: &str) -> Evidence {
        let stage = Stage::of(PROFILE);
        let plan = UnknownCommand::plan(&stage.baseline, 0.0).unwrap();
        let facts = facts(&stage, peer, role, commands);
        let sighting = seen(UnknownCommand::on_flow(&plan, &mut (), &facts));
        let evidence = UnknownCommand::assess(&plan, &sighting.inputs);
        assert_eq!(evidence.floor, sighting.floor);
        evidence
    }

    #[test]
    fn the_gravest_command_gives_grade_sentence_and_techniques() {
        let stop = evidence(
            Role::Responder,
            "10.1.20.9",
            "modbus.write_single_coil=3 s7comm.plc_stop=1",
        );
        assert_eq!(stop.floor, Some(Grade::High));
        assert_eq!(
            stop.sentence,
            "10.1.20.9 told it to stop its program (s7comm.plc_stop), which is none of the \
             commands it accepts by its profile. Another command was not listed either."
        );
        assert_eq!(stop.techniques, ["T0858", "T0881", "T0855", "T0836"]);
        let write = evidence(Role::Responder, "10.1.20.9", "modbus.write_single_coil=3");
        assert_eq!(write.floor, Some(Grade::Medium));
        assert_eq!(
            write.sentence,
            "10.1.20.9 told it to switch an output (modbus.write_single_coil, 3 times), which its \
             profile lets others tell it but not that one."
        );
        let read = evidence(Role::Originator, HISTORIAN, "cip.read_tag=1");
        assert_eq!(read.floor, Some(Grade::Low));
        assert_eq!(
            read.sentence,
            "It told 10.1.10.5 to read a tag (cip.read_tag), which is none of the commands it \
             sends by its profile."
        );
    }

    #[test]
    fn a_profile_may_write_the_grade_and_one_without_lists_gives_it_nothing_to_do() {
        let text = "commands: { accepts: [] }\ndetectors: { unknown_command: { grade: CRITICAL } }";
        let stage = Stage::of(text);
        let plan = UnknownCommand::plan(&stage.baseline, 0.0).unwrap();
        let facts = facts(&stage, HISTORIAN, Role::Responder, "modbus.read_coils=1");
        let sighting = seen(UnknownCommand::on_flow(&plan, &mut (), &facts));
        assert_eq!(sighting.floor, Some(Grade::Critical));
        assert!(UnknownCommand::plan(&Stage::of("").baseline, 0.0).is_none());
    }

    #[test]
    fn of_many_foreign_commands_the_gravest_are_kept() {
        let many: Vec<_> = (0..40).map(|n| format!("vendor.c{n}=1")).collect();
        let text = format!("{} s7comm.plc_stop=1", many.join(" "));
        let stage = Stage::of(PROFILE);
        let plan = UnknownCommand::plan(&stage.baseline, 0.0).unwrap();
        let facts = facts(&stage, HISTORIAN, Role::Responder, &text);
        let sighting = seen(UnknownCommand::on_flow(&plan, &mut (), &facts));
        assert_eq!(sighting.inputs.foreign.len(), KEPT_MAX);
        assert_eq!(sighting.inputs.foreign[0].name, "s7comm.plc_stop");
        assert_eq!(sighting.inputs.others, 41 - KEPT_MAX);
    }
}
