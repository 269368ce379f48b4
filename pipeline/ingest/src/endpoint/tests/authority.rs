//! Who may publish and read what, one claim per test, against the table in the design.

use super::*;

const LOCAL: &str = "127.0.0.1";
const REMOTE: &str = "192.0.2.7";

fn principal(name: &str, role: Role) -> Principal {
    Principal {
        name: name.into(),
        role,
        secret: Secret::of_password(name.as_bytes()),
    }
}

fn plant() -> Authority {
    let serves = vec!["PLC-1".to_owned(), "plc-2".to_owned()];
    Authority::new(
        [
            principal("CNC-1", Role::Device),
            principal("gw-1", Role::Gateway { serves }),
            principal("zeek-1", Role::Sensor),
            principal("soc", Role::Reader),
            principal("fw-1", Role::Enforcer),
        ],
        Anonymous::default(),
    )
    .unwrap()
}

/// Each principal of the plant has its listed name as its password.
fn known(user: &str, password: &str) -> Option<Identity> {
    let address = REMOTE.parse().unwrap();
    plant().identify(Some(user), Some(password.as_bytes()), "any", address)
}

fn anonymous(policy: Anonymous, client_id: &str, address: &str) -> Option<Identity> {
    let authority = Authority::new([], policy).unwrap();
    authority.identify(None, None, client_id, address.parse().unwrap())
}

fn reads(identity: &Identity, filter: &str) -> bool {
    identity.may_subscribe(&Filter::parse(filter, 512).unwrap())
}

#[test]
fn a_wrong_password_or_unknown_name_is_refused_even_where_anonymous_is_welcome() {
    assert!(known("cnc-1", "CNC-1").is_some());
    assert!(known("cnc-1", "cnc-1").is_none());
    assert!(known("cnc-9", "CNC-1").is_none());
    let local = LOCAL.parse().unwrap();
    assert!(plant().identify(Some("cnc-1"), None, "x", local).is_none());
    assert!(plant().identify(Some("cnc-9"), None, "x", local).is_none());
}

#[test]
fn anonymous_clients_are_accepted_from_loopback_only_by_default() {
    assert!(anonymous(Anonymous::default(), "x", LOCAL).is_some());
    assert!(anonymous(Anonymous::default(), "x", "::1").is_some());
    assert!(anonymous(Anonymous::default(), "x", "::ffff:127.0.0.1").is_some());
    assert!(anonymous(Anonymous::default(), "x", REMOTE).is_none());
    let nowhere = Anonymous {
        from: Origin::Nowhere,
        ..Anonymous::default()
    };
    assert!(anonymous(nowhere, "x", LOCAL).is_none());
    let anywhere = Anonymous {
        from: Origin::Anywhere,
        ..Anonymous::default()
    };
    assert!(anonymous(anywhere, "x", REMOTE).is_some());
}

#[test]
fn an_anonymous_publish_speaks_for_the_device_of_the_topic_unproven() {
    let client = anonymous(Anonymous::default(), "tool", LOCAL).unwrap();
    let sender = client.may_publish("andon/v1/in/s/CNC-1/flow").unwrap();
    assert_eq!(
        sender,
        Sender {
            name: "cnc-1".into(),
            proven: false
        }
    );
    assert_eq!(
        client.may_publish("andon/v1/out/s/cnc-1/risk"),
        Err(Reason::OutsideInBranch)
    );
    assert_eq!(
        client.may_publish("andon/v1/in/s/fw-1/ack"),
        Err(Reason::NotAnEnforcer)
    );
    let trusting = Anonymous {
        acknowledge: true,
        ..Anonymous::default()
    };
    let client = anonymous(trusting, "tool", LOCAL).unwrap();
    assert!(client.may_publish("andon/v1/in/s/fw-1/ack").is_ok());
}

#[test]
fn a_device_publishes_only_below_its_own_branch() {
    let device = known("cnc-1", "CNC-1").unwrap();
    let own = Sender {
        name: "cnc-1".into(),
        proven: true,
    };
    assert_eq!(device.may_publish("andon/v1/in/s/Cnc-1/flow"), Ok(own));
    assert_eq!(
        device.may_publish("andon/v1/in/s/cnc-2/flow"),
        Err(Reason::ForeignDevice)
    );
    assert_eq!(
        device.may_publish("andon/v1/in/s/cnc-1/ack"),
        Err(Reason::NotAnEnforcer)
    );
    assert_eq!(
        device.may_publish("andon/v1/in/s/cnc-1"),
        Err(Reason::OutsideInBranch)
    );
}

#[test]
fn a_gateway_speaks_for_those_it_serves_under_its_own_name() {
    let gateway = known("gw-1", "gw-1").unwrap();
    for device in ["gw-1", "plc-1", "PLC-2"] {
        let sender = gateway
            .may_publish(&format!("andon/v1/in/s/{device}/reading"))
            .unwrap();
        assert_eq!(
            sender,
            Sender {
                name: "gw-1".into(),
                proven: true
            }
        );
    }
    assert_eq!(
        gateway.may_publish("andon/v1/in/s/plc-3/reading"),
        Err(Reason::ForeignDevice)
    );
}

#[test]
fn a_sensor_publishes_anything_below_its_own_name() {
    let sensor = known("zeek-1", "zeek-1").unwrap();
    assert!(
        sensor
            .may_publish("andon/v1/in/s/zeek-1/conn/extra")
            .is_ok()
    );
    assert_eq!(
        sensor.may_publish("andon/v1/in/s/cnc-1/flow"),
        Err(Reason::ForeignDevice)
    );
}

#[test]
fn an_enforcer_only_acknowledges_and_a_reader_publishes_nothing() {
    let enforcer = known("fw-1", "fw-1").unwrap();
    assert!(enforcer.may_publish("andon/v1/in/s/fw-1/ack").is_ok());
    assert_eq!(
        enforcer.may_publish("andon/v1/in/s/fw-2/ack"),
        Err(Reason::ForeignDevice)
    );
    let flow = enforcer.may_publish("andon/v1/in/s/fw-1/flow");
    assert_eq!(flow, Err(Reason::OnlyAcknowledgements));
    let reader = known("soc", "soc").unwrap();
    assert_eq!(
        reader.may_publish("andon/v1/in/s/soc/flow"),
        Err(Reason::ReadOnly)
    );
}

#[test]
fn a_reader_reads_the_out_branch_and_nothing_wider() {
    let reader = known("soc", "soc").unwrap();
    for filter in [
        "andon/v1/out/#",
        "andon/v1/out/s/+/risk",
        "andon/v1/out/s/cnc-1/verdict",
    ] {
        assert!(reads(&reader, filter), "{filter}");
    }
    for filter in [
        "#",
        "andon/#",
        "andon/+/out/#",
        "+/v1/out/#",
        "andon/v1/in/#",
        "andon/v1/+/#",
    ] {
        assert!(!reads(&reader, filter), "{filter}");
    }
}

#[test]
fn a_device_reads_its_own_enforcement_and_nothing_else() {
    for (user, password) in [("cnc-1", "CNC-1"), ("zeek-1", "zeek-1"), ("gw-1", "gw-1")] {
        let identity = known(user, password).unwrap();
        assert!(reads(
            &identity,
            &format!("andon/v1/out/s/{user}/enforcement")
        ));
        assert!(reads(
            &identity,
            &format!("andon/v1/out/+/{}/enforcement", user.to_uppercase())
        ));
        for filter in [
            format!("andon/v1/out/s/{user}/risk"),
            format!("andon/v1/out/s/{user}/verdict"),
            format!("andon/v1/out/s/{user}/+"),
            format!("andon/v1/out/s/{user}/#"),
            format!("andon/v1/out/s/{user}/enforcement/#"),
            "andon/v1/out/s/+/enforcement".into(),
            "andon/v1/out/s/plc-1/enforcement".into(),
            "andon/v1/out/#".into(),
            "#".into(),
        ] {
            assert!(!reads(&identity, &filter), "{user} {filter}");
        }
    }
}

#[test]
fn an_enforcer_reads_all_enforcement_but_no_verdict_or_risk() {
    let enforcer = known("fw-1", "fw-1").unwrap();
    assert!(reads(&enforcer, "andon/v1/out/+/+/enforcement"));
    assert!(!reads(&enforcer, "andon/v1/out/+/+/+"));
    assert!(!reads(&enforcer, "andon/v1/out/+/+/risk"));
}

#[test]
fn an_anonymous_client_reads_nothing_unless_the_policy_opens_its_own_enforcement() {
    let filter = "andon/v1/out/s/cnc-1/enforcement";
    let closed = anonymous(Anonymous::default(), "CNC-1", LOCAL).unwrap();
    assert!(!reads(&closed, filter) && !reads(&closed, "andon/v1/out/#"));
    let policy = Anonymous {
        own_enforcement: true,
        ..Anonymous::default()
    };
    let open = anonymous(policy, "CNC-1", LOCAL).unwrap();
    assert!(reads(&open, filter));
    assert!(!reads(&open, "andon/v1/out/s/cnc-2/enforcement"));
    // A client id is free text: one that is a wildcard must not open the whole branch.
    let wild = anonymous(policy, "+", LOCAL).unwrap();
    assert!(!reads(&wild, "andon/v1/out/s/+/enforcement"));
}

#[test]
fn names_that_cannot_be_a_topic_level_and_duplicates_are_errors() {
    for bad in ["", "a/b", "+", "#", "a b", "a\u{0}"] {
        let result = Authority::new([principal(bad, Role::Device)], Anonymous::default());
        assert_eq!(result.unwrap_err(), AuthorityError::Name(bad.into()));
    }
    let twice = [principal("A", Role::Device), principal("a", Role::Reader)];
    let result = Authority::new(twice, Anonymous::default());
    assert_eq!(result.unwrap_err(), AuthorityError::Duplicate("a".into()));
    let serves = Role::Gateway {
        serves: vec!["#".into()],
    };
    let result = Authority::new([principal("g", serves)], Anonymous::default());
    assert_eq!(result.unwrap_err(), AuthorityError::Name("#".into()));
}

#[test]
fn a_secret_does_not_show_itself() {
    assert_eq!(format!("{:?}", Secret::of_password(b"x")), "Secret(..)");
}
