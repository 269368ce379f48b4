//! Who made a device, which model it is, and which firmware it runs: by this it is found in
//! advisories. Written for a device or a group of them, or once for all devices of a type.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::advisory::{VERSION_BYTES_MAX, Vendor};
use crate::problems::{Refusal, quoted};
use crate::profile::type_name;
use crate::yaml::{Key, Node, Report, Section, Shape, listed, scalar};

/// Longest name of a vendor or a model, in bytes.
const NAME_BYTES_MAX: usize = 200;

const TEXT: Shape = Shape::Text(&["SIMATIC S7-1500 CPU 1511-1 PN"]);
pub(super) const VENDOR: Key = Key::new(
    "vendor",
    Shape::Text(&["Siemens"]),
    "who makes it, as in advisories",
);
pub(super) const MODEL: Key = Key::new(
    "model",
    Shape::Any(&[TEXT, Shape::List(&TEXT)]),
    "the model as on its type plate, and other names and order numbers of it, as in advisories",
);
pub(super) const RUNS: Key = Key::new(
    "firmware",
    Shape::Text(&["V2.9.4"]),
    "the version of its firmware, for advisories; one that the device attests itself counts first",
);

pub(super) const TYPE: Section = Section {
    keys: &[
        Key::must(
            "type",
            Shape::Text(&["cnc_controller_fanuc"]),
            "the name of the type",
        ),
        VENDOR,
        MODEL,
        RUNS,
    ],
};

/// What of a device is on its type plate.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Make {
    /// Who makes it, as the vendor writes itself.
    pub vendor: Option<String>,
    /// Its model, and other names and order numbers by which advisories may call it.
    pub models: Vec<String>,
    /// The version of its firmware, where it does not attest one itself.
    pub firmware: Option<String>,
}

/// What is said once for all devices of a type, by the name of the type.
pub(super) type Types = BTreeMap<String, Make>;

impl Make {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is written here, and for the rest what holds for the type.
    fn over(self, of_type: Option<&Self>) -> Self {
        let Some(of_type) = of_type else {
            return self;
        };
        let models = if self.models.is_empty() {
            of_type.models.clone()
        } else {
            self.models
        };
        Self {
            vendor: self.vendor.or_else(|| of_type.vendor.clone()),
            models,
            firmware: self.firmware.or_else(|| of_type.firmware.clone()),
        }
    }

    /// The lines of it in an entry.
    pub(super) fn parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        let vendor = self.vendor.as_ref();
        parts.extend(vendor.map(|vendor| format!("vendor: {}", scalar(vendor))));
        if !self.models.is_empty() {
            let models: Vec<String> = self.models.iter().map(|model| scalar(model)).collect();
            parts.push(format!("model: {}", listed(&models)));
        }
        let firmware = self.firmware.as_ref();
        parts.extend(firmware.map(|version| format!("firmware: {}", scalar(version))));
        parts
    }
}

/// The section that speaks of types.
pub(super) fn types(node: Option<Node<'_>>, report: &mut Report) -> Types {
    let mut types = Types::new();
    for item in node.map(Node::items).unwrap_or_default() {
        if !report.fields(item, &TYPE) {
            continue;
        }
        let name = report.read_if(item.get("type"), type_name);
        let make = read(item, report);
        let Some(name) = name else { continue };
        if types.contains_key(&name) {
            let refusal = Refusal::new(format!("type {} is written twice", quoted(&name)));
            report.value(item, refusal.hint("Say all about it in one place."));
            continue;
        }
        types.insert(name, make);
    }
    types
}

/// What an entry says of those it lists; `None` if neither it nor their type says anything.
pub(super) fn of(
    item: Node<'_>,
    device_type: &str,
    types: &Types,
    report: &mut Report,
) -> Option<Arc<Make>> {
    let make = read(item, report).over(types.get(device_type));
    (!make.is_empty()).then(|| Arc::new(make))
}

fn read(item: Node<'_>, report: &mut Report) -> Make {
    let vendor = report.read_if(item.get("vendor"), |text| {
        let hint = "Write its name as in advisories, such as `Siemens`.";
        name(text, "vendor", hint)
    });
    let models = report.read_each(item.get("model"), |text| {
        let hint = "Write the model as on its type plate, such as `SIMATIC S7-1500 CPU 1511-1 PN`.";
        name(text, "model", hint)
    });
    let firmware = report.read_if(item.get("firmware"), |text| {
        let text = text.trim();
        let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
        if has_digit && text.len() <= VERSION_BYTES_MAX {
            return Ok(text.to_owned());
        }
        Err(Refusal::new(format!("{} is no version", quoted(text)))
            .hint("Write it as the device shows it, such as `V2.9.4`."))
    });
    Make {
        vendor,
        models,
        firmware,
    }
}

fn name(text: &str, what: &str, hint: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let is_name = Vendor::read(text) != Vendor::default() && text.len() <= NAME_BYTES_MAX;
    if is_name && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Refusal::new(format!("{} is no {what}", quoted(text))).hint(hint))
}
