//! The risk document as it goes over topics is small, and says all that its file says.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test"
)]

use andon_schemas::builtin;
use andon_schemas::grade::RiskClass;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{
    RISK_MESSAGE_BYTES, RISK_MESSAGE_ID_BYTES, RISK_SCHEMA, Risk, RiskUpdate,
};

/// An update in which everything is as long as it may be, but for the id.
fn longest(device: &DeviceId) -> RiskUpdate {
    let at: EventTime = serde_json::from_str("\"2025-12-14T01:30:10.123456Z\"").unwrap();
    let class = [RiskClass::Yellow, RiskClass::Orange];
    assert_eq!(class[0].as_str().len(), class[1].as_str().len());
    let of = |risk| RiskUpdate {
        schema: RISK_SCHEMA.to_owned(),
        device_id: device.clone(),
        site: "precision-parts".to_owned(),
        event_time: at,
        risk,
        risk_class: Some(RiskClass::Orange),
        verdict_id: Some("6e399901cbc0519ca9b907b8a947b246".to_owned()),
    };
    let scores = (0..=100).map(Risk::of_score).chain([Risk::UNKNOWN]);
    scores.map(of).max_by_key(length).unwrap()
}

fn length(update: &RiskUpdate) -> usize {
    serde_json::to_vec(&update.message()).unwrap().len()
}

#[test]
fn it_is_shorter_than_200_bytes_for_every_device_of_the_plant() {
    let inventory = builtin::inventory().expect("the shipped inventory loads");
    let ids = inventory.devices.iter().map(|device| &device.id);
    let id = ids.max_by_key(|id| id.as_str().len()).unwrap();
    assert!(length(&longest(id)) < RISK_MESSAGE_BYTES, "{id}");
    assert!(id.as_str().len() <= RISK_MESSAGE_ID_BYTES, "{id}");
}

#[test]
fn its_length_is_bounded_by_that_of_the_id() {
    let id = |bytes: usize| DeviceId::new(&"d".repeat(bytes)).unwrap();
    assert!(length(&longest(&id(RISK_MESSAGE_ID_BYTES))) < RISK_MESSAGE_BYTES);
    assert!(length(&longest(&id(RISK_MESSAGE_ID_BYTES + 1))) >= RISK_MESSAGE_BYTES);
    assert_eq!(length(&longest(&id(128))), 300);
}

#[test]
fn it_is_the_same_document_but_for_what_the_topic_says() {
    let update = longest(&DeviceId::new("plc-1").unwrap());
    let text = serde_json::to_string(&update.message()).unwrap();
    let read: RiskUpdate = serde_json::from_str(&text).unwrap();
    let expected = RiskUpdate {
        schema: String::new(),
        site: String::new(),
        ..update
    };
    assert_eq!(read, expected);
}
