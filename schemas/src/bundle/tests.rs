//! Observations come out of a bundle as they went in.

use std::net::IpAddr;

use arrow_array::{ArrayRef, StringArray};

use super::*;
use crate::columns::{AttestationRow, FlowRow, ResolutionRow};
use crate::identity::{DeviceId, address_of_key};
use crate::observation::{
    Attestation, Body, ByteKind, ConnState, Flow, Header, Observation, Reading, Resolution, Role,
    Sender, Source, Transport,
};
use crate::ot_command::Commands;
use crate::time::EventTime;

fn header(number: u64, sender: Option<(&str, bool)>) -> Header {
    Header {
        device: DeviceId::new(&format!("plc-{number}")).unwrap(),
        event_time: EventTime::from_micros(-5),
        received_at: EventTime::from_micros(1_765_000_000_000_001),
        sender: sender.map(|(name, proven)| Sender {
            name: DeviceId::new(name).unwrap(),
            proven,
        }),
        seq: number.is_multiple_of(2).then_some(u64::MAX),
        source: Source {
            topic: if number < 2 { "a".into() } else { "b".into() },
            partition: 7,
            offset: number,
        },
    }
}

fn flow(peer: &str) -> Flow {
    Flow {
        start: EventTime::from_micros(-9),
        role: Role::Responder,
        peer: peer.parse().unwrap(),
        peer_name: None,
        port: 502,
        transport: Transport::Icmp,
        service: Some("modbus".into()),
        up: None,
        down: Some(u64::MAX),
        bytes: ByteKind::Frame,
        state: ConnState::Unknown,
        interim: true,
        uid: Some("".into()),
        commands: Commands::parse("modbus.read_coils=3").unwrap(),
    }
}

fn observations() -> Vec<Observation> {
    let addresses: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
    [
        (Some(("zeek-1", true)), Body::Flow(flow("10.0.0.9"))),
        (
            None,
            Body::Reading(Reading {
                current_a: None,
                spindle_rpm: Some(8_000.5),
            }),
        ),
        (Some(("plc-2", false)), Body::Flow(flow("fe80::1"))),
        (
            None,
            Body::Attestation(Attestation {
                version: "4.2.1".to_owned(),
                digest: None,
                tpm_ok: Some(false),
            }),
        ),
        (
            None,
            Body::Resolution(Resolution {
                server: "10.0.0.53".parse().unwrap(),
                name: "a.example".to_owned(),
                addresses,
                ttl_s: u32::MAX,
            }),
        ),
    ]
    .into_iter()
    .zip(0..)
    .map(|((sender, body), number)| Observation {
        header: header(number, sender),
        body,
    })
    .collect()
}

/// A row of a bundle as an observation again.
fn read_back(bundle: &Bundle, row: &RowRef) -> Observation {
    let at = row.row as usize;
    let columns = bundle.header(row.kind);
    let seen = columns.row(at);
    assert_eq!(seen.device, columns.device(at));
    Observation {
        header: Header {
            device: DeviceId::new(seen.device).unwrap(),
            event_time: seen.event_time,
            received_at: seen.received_at,
            sender: seen.sender.map(|name| Sender {
                name: DeviceId::new(name).unwrap(),
                proven: seen.proven,
            }),
            seq: seen.seq,
            source: columns.source(at),
        },
        body: match row.kind {
            Kind::Flow => Body::Flow(flow_of(&bundle.flows.row(at))),
            Kind::Reading => Body::Reading(Reading {
                current_a: bundle.readings.row(at).current_a,
                spindle_rpm: bundle.readings.row(at).spindle_rpm,
            }),
            Kind::Attestation => {
                let AttestationRow {
                    version,
                    digest,
                    tpm_ok,
                } = bundle.attestations.row(at);
                Body::Attestation(Attestation {
                    version: version.to_owned(),
                    digest: digest.map(str::to_owned),
                    tpm_ok,
                })
            }
            Kind::Resolution => Body::Resolution(resolution_of(&bundle.resolutions.row(at))),
        },
    }
}

fn flow_of(row: &FlowRow<'_>) -> Flow {
    Flow {
        start: row.start,
        role: row.role,
        peer: address_of_key(row.peer),
        peer_name: row.peer_name.map(Into::into),
        port: row.port,
        transport: row.transport,
        service: row.service.map(Into::into),
        up: row.up,
        down: row.down,
        bytes: row.bytes,
        state: row.state,
        interim: row.interim,
        uid: row.uid.map(Into::into),
        commands: row.commands.and_then(|text| Commands::parse(text).unwrap()),
    }
}

fn resolution_of(row: &ResolutionRow<'_>) -> Resolution {
    Resolution {
        server: address_of_key(row.server),
        name: row.name.to_owned(),
        addresses: row.keys().map(address_of_key).collect(),
        ttl_s: row.ttl_s,
    }
}

#[test]
fn observations_come_back_in_their_order_with_every_field() {
    let given = observations();
    let mut builder = BundleBuilder::starting_at(100);
    for observation in &given {
        builder.push(observation);
    }
    let bundle = builder.finish().unwrap();
    let back: Vec<_> = bundle.order.iter().map(|r| read_back(&bundle, r)).collect();
    assert_eq!(back, given);
    let ordinals: Vec<u64> = bundle.order.iter().map(|r| r.ordinal).collect();
    assert_eq!(ordinals, [100, 101, 102, 103, 104]);
}

#[test]
fn a_builder_starts_anew_but_ordinals_go_on() {
    let mut builder = BundleBuilder::default();
    builder.push(&observations()[0]);
    builder.finish().unwrap();
    assert!(builder.is_empty());
    builder.push(&observations()[2]);
    let second = builder.finish().unwrap();
    assert_eq!((second.order[0].row, second.order[0].ordinal), (0, 1));
    assert_eq!(read_back(&second, &second.order[0]), observations()[2]);
}

#[test]
fn a_batch_of_another_kind_is_refused_by_its_first_wrong_column() {
    let flows = RecordBatch::new_empty(schema(Kind::Flow).clone());
    let readings = RecordBatch::new_empty(schema(Kind::Reading).clone());
    let refused = FlowColumns::of(&readings).unwrap_err();
    assert!(refused.contains("11 columns, expected 23"), "{refused}");
    let refused = AttestationColumns::of(&flows).unwrap_err();
    assert!(refused.contains("attestation batch"), "{refused}");
    let mut columns = flows.columns().to_vec();
    let mut fields: Vec<_> = schema(Kind::Flow).fields().iter().cloned().collect();
    columns.swap(0, 3);
    fields.swap(0, 3);
    let swapped =
        RecordBatch::try_new(Arc::new(arrow_schema::Schema::new(fields)), columns).unwrap();
    let refused = FlowColumns::of(&swapped).unwrap_err();
    assert!(refused.contains("column 0 is `sender"), "{refused}");
}

#[test]
fn an_order_that_points_nowhere_is_refused() {
    let mut builder = BundleBuilder::default();
    builder.push(&observations()[1]);
    let bundle = builder.finish().unwrap();
    let empty = |kind| RecordBatch::new_empty(schema(kind).clone());
    let refused = Bundle::new(
        &empty(Kind::Flow),
        &empty(Kind::Reading),
        &empty(Kind::Attestation),
        &empty(Kind::Resolution),
        Arc::clone(&bundle.order),
    );
    assert_eq!(refused.unwrap_err(), "bundle has no reading row 0");
}

#[test]
fn devices_are_named_by_a_dictionary_that_bundles_share_where_they_can_be() {
    let shared: ArrayRef = Arc::new(StringArray::from(vec!["cnc-1", "plc-1", "agv-1"]));
    let mut builder = BundleBuilder::default();
    builder.share_names(&shared);
    let given = observations();
    let mut bundle_of = |places: &[Option<u32>]| {
        for (observation, place) in given.iter().zip(places) {
            let mut view = observation.view();
            view.header.place = *place;
            builder.push_view(&view);
        }
        builder.finish().unwrap()
    };
    let names = |bundle: &Bundle| -> Vec<String> {
        let name = |row: &RowRef| bundle.header(row.kind).device(row.row as usize).to_owned();
        bundle.order.iter().map(name).collect()
    };
    let own = |at: usize| given[at].header.device.as_str();
    let all_known = bundle_of(&[Some(2), Some(0)]);
    assert_eq!(names(&all_known), ["agv-1", "cnc-1"]);
    for row in all_known.order.iter() {
        let dictionary = all_known.header(row.kind).device_names();
        assert!(Arc::ptr_eq(dictionary, &shared));
    }
    // Of the two flows one is known and one is not.
    let mixed = bundle_of(&[Some(2), None, None]);
    assert_eq!(names(&mixed), ["agv-1", own(1), own(2)]);
    assert_eq!(names(&bundle_of(&[None])), [own(0)]);
    // A place outside of the dictionary is none.
    assert_eq!(names(&bundle_of(&[Some(3), Some(0)])), [own(0), "cnc-1"]);
    assert_eq!(names(&bundle_of(&[Some(0)])), ["cnc-1"]);
}
