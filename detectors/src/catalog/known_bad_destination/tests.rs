//! Flows and questions of a device, with somebody on a list at the other end or not.

use super::*;
use crate::facts::DeviceFacts;
use crate::stage::{HISTORIAN, Stage, check, key, seen, time};
use andon_schemas::columns::ResolutionRow;
use andon_schemas::indicator::parse;
use andon_schemas::profile::SourceFile;

const LIST: &str = "ioc,name,valid_until\n203.0.113.0/24,Some rat,2026-01-01T00:00:00Z\n\
                    c2.example.net,,\n198.51.100.9,,2025-01-01T00:00:00Z\n";

fn stage(list: &str) -> Stage {
    let mut stage = Stage::of("destinations: [203.0.113.80, cnc-historian.mfg.local]");
    let file = SourceFile {
        path: "feeds/rats.csv",
        text: list,
    };
    let indicators = Arc::new(parse(&[file]).unwrap());
    stage.baseline = stage.baseline.with_indicators(indicators);
    stage
}

/// h the historian, b somebody on the list, p one of them whom the profile lists, e one whose
/// time is over, n a name below one on the list; capitals: it connects to us, U unanswered.
fn facts(stage: &Stage, symbol: char) -> FlowFacts<'_> {
    let peer = match symbol.to_ascii_lowercase() {
        'h' => HISTORIAN,
        'b' | 'u' => "203.0.113.77",
        'p' => "203.0.113.80",
        'e' => "198.51.100.9",
        _ => "192.0.2.1",
    };
    let mut facts = stage.flow_to(time("2025-12-12T09:00:00Z"), peer, Transport::Tcp, 4_444);
    if symbol == 'n' {
        facts.flow.peer_name = Some("a.c2.example.net");
    }
    if symbol.is_uppercase() {
        facts.flow.role = Role::Responder;
        facts.peer_expected = stage.baseline.may_connect(facts.flow.peer);
    }
    if symbol == 'U' {
        facts.flow.state = ConnState::Attempt;
        facts.up = 0;
    }
    facts
}

#[test]
fn who_is_on_a_list_is_seen_by_address_and_by_name_on_either_end() {
    let stage = stage(LIST);
    let plan = KnownBadDestination::plan(&stage.baseline, 0.0).unwrap();
    check(
        "
        h b p e n o  H B U
        . ! ! . ! .  . ! !
        ",
        |symbol| KnownBadDestination::on_flow(&plan, &mut (), &facts(&stage, symbol)),
    );
}

#[test]
fn the_sentence_names_the_list_and_says_what_the_profile_says() {
    let stage = stage(LIST);
    let plan = KnownBadDestination::plan(&stage.baseline, 0.0).unwrap();
    let told = |symbol| {
        let facts = facts(&stage, symbol);
        let sighting = seen(KnownBadDestination::on_flow(&plan, &mut (), &facts));
        let stored = serde_json::to_string(&sighting.inputs).unwrap();
        let evidence = KnownBadDestination::assess(&plan, &serde_json::from_str(&stored).unwrap());
        assert_eq!(evidence.floor, sighting.floor);
        (evidence.floor.unwrap(), evidence.sentence)
    };
    assert_eq!(
        told('p'),
        (
            Grade::Critical,
            "It opened a connection to 203.0.113.80, tcp port 4444, which `rats.csv` lists as \
             hostile (Some rat). Its profile lists it as a destination (203.0.113.80)."
                .to_owned()
        )
    );
    assert_eq!(
        told('U'),
        (
            Grade::Medium,
            "203.0.113.77, which `rats.csv` lists as hostile (Some rat), connected to it, tcp \
             port 4444; it did not answer."
                .to_owned()
        )
    );
    assert_eq!(
        told('n').1,
        "It opened a connection to 192.0.2.1 (a.c2.example.net), tcp port 4444, which \
         `rats.csv` lists as hostile."
    );
}

#[test]
fn to_ask_for_a_hostile_name_is_high_and_name_servers_are_silent() {
    let stage = stage(LIST);
    let plan = KnownBadDestination::plan(&stage.baseline, 0.0).unwrap();
    let ask = |name, listed| {
        let facts = ResolutionFacts {
            device: DeviceFacts {
                listed,
                ..stage.device()
            },
            answer: ResolutionRow {
                server: key("10.1.10.53"),
                name,
                addresses: &[],
                ttl_s: 60,
            },
            at: time("2025-12-12T09:00:00Z"),
        };
        KnownBadDestination::on_resolution(&plan, &mut (), &facts)
    };
    let asker = stage.device().listed;
    let sighting = seen(ask("x.C2.example.net", asker));
    let evidence = KnownBadDestination::assess(&plan, &sighting.inputs);
    assert_eq!(
        (evidence.floor, sighting.floor),
        (Some(Grade::High), Some(Grade::High))
    );
    assert_eq!(
        evidence.sentence,
        "It asked 10.1.10.53 for the address of x.C2.example.net, which `rats.csv` lists as \
         hostile."
    );
    assert_eq!(ask("example.net", asker), Signal::Quiet);
    let mut resolver = asker.unwrap().clone();
    resolver.roles.push("dns".to_owned());
    assert_eq!(ask("c2.example.net", Some(&resolver)), Signal::Quiet);
}

#[test]
fn without_a_list_or_with_another_nothing_is_claimed() {
    let bare = Stage::of("destinations: [203.0.113.80]");
    assert!(KnownBadDestination::plan(&bare.baseline, 0.0).is_none());
    let (first, other) = (stage(LIST), stage("192.0.2.99"));
    let plan = |stage: &Stage| KnownBadDestination::plan(&stage.baseline, 0.0).unwrap();
    let facts = facts(&first, 'b');
    let sighting = seen(KnownBadDestination::on_flow(&plan(&first), &mut (), &facts));
    let again = KnownBadDestination::assess(&plan(&other), &sighting.inputs);
    assert!(again.sentence.contains("which no list names"));
    assert_ne!(
        again,
        KnownBadDestination::assess(&plan(&first), &sighting.inputs)
    );
    assert_eq!(key("203.0.113.77"), facts.flow.peer);
}
