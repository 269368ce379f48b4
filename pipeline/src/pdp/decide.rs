//! One question, one answer.

use std::collections::BTreeMap;

use andon_schemas::grade::Band;
use andon_schemas::inventory::{Device, Function, Inventory};
use andon_schemas::profile::{Hours, ProfileSet};
use andon_schemas::time::EventTime;
use anyhow::{anyhow, bail};
use regorus::{Engine, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::plant;
use super::policy::{ENTRY, Policies};

/// Longest question, bytes.
const QUESTION_BYTES_MAX: usize = 64 << 10;

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// As it was asked for.
    Allow,
    /// Within constraints.
    Constrain,
    /// Not at all.
    Deny,
}

impl Decision {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Constrain => "constrain",
            Self::Deny => "deny",
        }
    }
}

/// An answer, as policies give it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What may be done.
    pub decision: Decision,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// The risk that was known of the device.
    #[serde(default)]
    pub device_risk: Option<Known>,
    /// The risk of the request, 0–100, where it could be told.
    #[serde(default)]
    pub request_risk: Option<f64>,
    /// What that is made of.
    #[serde(default)]
    pub request_risk_parts: serde_json::Value,
    /// `standard` or `enhanced`.
    #[serde(default)]
    pub monitoring: Option<String>,
    /// What the request is bound to; null for a denial.
    #[serde(default)]
    pub constraints: serde_json::Value,
}

impl Answer {
    fn denial(reason: String) -> Self {
        Self {
            decision: Decision::Deny,
            reasons: vec![reason],
            device_risk: None,
            request_risk: None,
            request_risk_parts: serde_json::Value::Null,
            monitoring: None,
            constraints: serde_json::Value::Null,
        }
    }
}

/// What is known of the risk of a device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// 0–100, 100 is worst; null if nothing can be said.
    pub score: Option<u8>,
    /// 100 − score.
    pub trust: Option<u8>,
    /// The band.
    pub band: Band,
    /// From then on it is no longer known.
    pub expires: EventTime,
}

/// Answers questions.
pub struct Decider {
    /// The policies and what lies beside them, without the plant.
    engine: Engine,
    inventory: Inventory,
    /// Active hours by device type.
    hours: BTreeMap<String, Hours>,
    segments: Value,
    resources: Value,
    /// What the policies were, SHA-256.
    pub policy_hash: String,
}

impl std::fmt::Debug for Decider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decider")
            .field("policy_hash", &self.policy_hash)
            .finish_non_exhaustive()
    }
}

impl Decider {
    /// One that decides about the devices of an inventory, whose active hours their profiles know.
    ///
    /// # Errors
    /// What is wrong with the policies.
    pub fn new(
        policies: &Policies,
        inventory: Inventory,
        profiles: &ProfileSet,
    ) -> anyhow::Result<Self> {
        let hours = profiles
            .iter()
            .filter_map(|profile| Some((profile.name.clone(), profile.hours.clone()?)));
        Ok(Self {
            engine: policies.engine()?,
            segments: rego(&plant::segments(&inventory))?,
            resources: rego(&plant::resources(&inventory))?,
            policy_hash: policies.hash.clone(),
            inventory,
            hours: hours.collect(),
        })
    }

    /// Whose question it is, if it says so in a way that can be read.
    pub fn device_of(question: &str) -> Option<String> {
        let asked: serde_json::Value = serde_json::from_str(question).ok()?;
        Some(asked.get("device")?.get("id")?.as_str()?.to_lowercase())
    }

    /// Answers a question, asked as a JSON object, at a moment. Whatever cannot be decided is
    /// denied, with the reason.
    pub fn answer(&mut self, question: &str, risk: Option<&Known>, now: EventTime) -> Answer {
        self.decide(question, risk, now)
            .unwrap_or_else(|error| Answer::denial(format!("{error:#}")))
    }

    fn decide(
        &mut self,
        question: &str,
        risk: Option<&Known>,
        now: EventTime,
    ) -> anyhow::Result<Answer> {
        if question.len() > QUESTION_BYTES_MAX {
            bail!("the question is longer than {QUESTION_BYTES_MAX} bytes");
        }
        let mut asked: serde_json::Value =
            serde_json::from_str(question).map_err(|e| anyhow!("the question is no JSON: {e}"))?;
        let Some(fields) = asked.as_object_mut() else {
            bail!("the question is no JSON object");
        };
        // What the time is, is not for whoever asks to say.
        fields.insert("now".to_owned(), json!(now));
        // The inventory lists ids in lower case.
        let id = fields
            .get_mut("device")
            .and_then(|device| device.get_mut("id"));
        let device = id.and_then(|id| {
            let folded = id.as_str()?.to_lowercase();
            *id = json!(folded);
            self.inventory.device(&folded)
        });
        let mut data = json!({ "zone": self.inventory.clock.name(), "devices": {} });
        let mut known = json!({});
        if let Some(device) = device.filter(|device| device.function != Function::Server) {
            let hours = self.hours_of(device);
            data["devices"][device.id.as_str()] = plant::of_device(device, hours, &self.inventory);
            known[device.id.as_str()] = json!(risk);
        }
        // The policies stay; what they stand on is laid anew for each question, of one device only.
        let mut engine = self.engine.clone();
        engine.add_data(rego(&json!({
            "andon": { "plant": data, "risk": { "devices": known } },
        }))?)?;
        let shared = [("segments", &self.segments), ("resources", &self.resources)];
        for (name, value) in shared {
            engine.add_data(within(&["andon", "plant", name], value.clone()))?;
        }
        engine.set_input(rego(&asked)?);
        let answer = engine
            .eval_rule(ENTRY.to_owned())
            .map_err(|e| anyhow!("the policies cannot decide: {e}"))?;
        serde_json::from_str(&answer.to_json_str()?)
            .map_err(|e| anyhow!("what the policies answer is no decision: {e}"))
    }

    fn hours_of(&self, device: &Device) -> Option<&Hours> {
        self.hours.get(&device.device_type)
    }
}

fn rego(value: &serde_json::Value) -> anyhow::Result<Value> {
    Value::from_json_str(&value.to_string())
}

/// A value below these names.
fn within(names: &[&str], value: Value) -> Value {
    names.iter().rev().fold(value, |value, name| {
        let mut around = Value::new_object();
        if let Ok(members) = around.as_object_mut() {
            members.insert(Value::from(*name), value);
        }
        around
    })
}
