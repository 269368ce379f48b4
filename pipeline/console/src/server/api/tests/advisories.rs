//! What advisories say of a device, with the device.

use std::sync::Arc;

use andon_schemas::advisory::{
    Advisor, DeviceAdvisories, FirmwareVersion, Gathering, VersionSource,
};
use andon_schemas::builtin;
use andon_schemas::command::Mode;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Make;
use serde_json::{Value, json};

use super::{Console, at, device};

const TABLE: &str = "vendor,product,versions,cve,cvss,title,url,fixed_in\n\
    Acme,Press 100,<2.9.4,CVE-2025-1,9.8,Overflow,https://acme.example/1,\n\
    Acme,Press 100,gold,CVE-2025-2,5,Leak,,\n";

/// Knows one table, and that every device attested the same.
struct Shelf;

impl Advisor for Shelf {
    fn of(&self, _: &DeviceId, make: Option<&Make>) -> DeviceAdvisories {
        // Where others are served, this would be refused: it may take a while.
        tokio::runtime::Handle::current().block_on(async {});
        let mut gathering = Gathering::default();
        gathering.table("list.csv", TABLE).unwrap();
        let firmware = FirmwareVersion {
            version: "2.9.3".to_owned(),
            source: VersionSource::Attested,
            at: Some(at(7)),
        };
        gathering.finish().of(make, Some(firmware))
    }
}

/// A console of a plant in which the first device has a type plate.
fn console() -> (Console, DeviceId) {
    let console = Console::new();
    let id = device(0);
    let mut inventory = builtin::inventory().unwrap();
    let make = Make {
        vendor: Some("Acme".to_owned()),
        models: vec!["Press 100".to_owned()],
        firmware: Some("2.0".to_owned()),
    };
    let listed = inventory.devices.iter_mut().find(|device| device.id == id);
    listed.unwrap().make = Some(Arc::new(make));
    console.board.change(&inventory, Mode::Monitor);
    (console, id)
}

#[test]
fn a_device_is_shown_with_what_is_known_of_its_firmware() {
    let (console, id) = console();
    console.board.advise(Arc::new(Shelf));
    let shown = console.get(&format!("/v1/devices/{id}")).json();
    assert_eq!(
        (&shown["vendor"], &shown["model"]),
        (&json!("Acme"), &json!("Press 100"))
    );
    let firmware = json!({ "version": "2.9.3", "source": "attested", "at": at(7).to_string() });
    assert_eq!(shown["firmware"], firmware);
    assert_eq!(shown["advised"], json!({ "affected": 1, "cannot_tell": 1 }));
    let known = &shown["advisories"][0];
    assert_eq!(known["cve"], "CVE-2025-1");
    assert_eq!(
        (&known["verdict"], &known["severity"]),
        (&json!("affected"), &json!("critical"))
    );
    assert_eq!(
        (&known["cvss"], &known["fixed_in"]),
        (&json!(9.8), &json!("2.9.4"))
    );
    assert_eq!(
        (&known["title"], &known["url"]),
        (&json!("Overflow"), &json!("https://acme.example/1"))
    );
    assert_eq!(shown["advisories"][1]["verdict"], "cannot_tell");
    // It is context: the device is as healthy as before.
    assert_eq!(
        (&shown["lamp"], &shown["risk"]["band"]),
        (&json!("unknown"), &json!("unknown"))
    );
}

#[test]
fn without_advisories_only_the_inventory_speaks() {
    let (console, id) = console();
    let shown = console.get(&format!("/v1/devices/{id}")).json();
    assert_eq!(
        (&shown["advised"], &shown["advisories"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(shown["firmware"]["version"], "2.0");
    let other = console.get(&format!("/v1/devices/{}", device(1))).json();
    assert_eq!(
        (&other["vendor"], &other["firmware"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn the_description_has_them() {
    let (console, _) = console();
    let document = console.get("/v1/openapi.json").json().to_string();
    for word in [
        "KnownVulnerability",
        "cannot_tell",
        "fixed_in",
        "FirmwareVersion",
    ] {
        assert!(document.contains(word), "{word}");
    }
}
