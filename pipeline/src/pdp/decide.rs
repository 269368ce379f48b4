//! One question, one answer.

use std::collections::BTreeMap;

use andon_schemas::grade::Band;
use andon_schemas::inventory::{Function, Inventory};
use andon_schemas::profile::{Hours, ProfileSet};
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Risk;
use anyhow::anyhow;
use regorus::{Engine, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

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
    /// A denial for something that policies have no part in.
    pub fn denial(reason: String) -> Self {
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

impl Known {
    /// A risk that is known until then.
    pub fn until(risk: Risk, expires: EventTime) -> Self {
        Self {
            score: risk.score,
            trust: risk.trust,
            band: risk.band,
            expires,
        }
    }
}

/// A question: a JSON object that says who asks, and for what.
#[derive(Clone, Debug)]
pub struct Question {
    fields: Map<String, serde_json::Value>,
}

impl Question {
    /// Reads a question. The id of its device is folded to lower case, as the inventory lists it.
    ///
    /// # Errors
    /// Says why it is none.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > QUESTION_BYTES_MAX {
            return Err(format!(
                "the question is longer than {QUESTION_BYTES_MAX} bytes"
            ));
        }
        let asked = serde_json::from_str(text);
        Self::of(asked.map_err(|e| format!("the question is no JSON: {e}"))?)
    }

    /// The question that a value is.
    ///
    /// # Errors
    /// If it is no object.
    pub fn of(asked: serde_json::Value) -> Result<Self, String> {
        let serde_json::Value::Object(mut fields) = asked else {
            return Err("the question is no JSON object".to_owned());
        };
        let device = fields
            .get_mut("device")
            .and_then(|device| device.get_mut("id"));
        if let Some(serde_json::Value::String(id)) = device {
            *id = id.to_lowercase();
        }
        Ok(Self { fields })
    }

    /// Whose it is, if it says so.
    pub fn device(&self) -> Option<&str> {
        self.fields.get("device")?.get("id")?.as_str()
    }

    /// As it was asked.
    pub fn fields(&self) -> &Map<String, serde_json::Value> {
        &self.fields
    }
}

/// Answers questions.
pub struct Decider {
    /// The policies, what lies beside them, and what all devices have in common.
    engine: Engine,
    inventory: Inventory,
    /// Active hours by device type.
    hours: BTreeMap<String, Hours>,
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
        let mut engine = policies.engine()?;
        engine.add_data(rego(
            json!({ "andon": { "plant": plant::common(&inventory) } }),
        )?)?;
        Ok(Self {
            engine,
            policy_hash: policies.hash.clone(),
            inventory,
            hours: hours.collect(),
        })
    }

    /// Answers a question at a moment. Whatever cannot be decided is denied, with the reason.
    pub fn answer(&self, question: &Question, risk: Option<&Known>, now: EventTime) -> Answer {
        self.decide(question, risk, now)
            .unwrap_or_else(|error| Answer::denial(format!("{error:#}")))
    }

    fn decide(
        &self,
        question: &Question,
        risk: Option<&Known>,
        now: EventTime,
    ) -> anyhow::Result<Answer> {
        let mut asked = question.fields.clone();
        // What the time is, is not for whoever asks to say.
        asked.insert("now".to_owned(), json!(now));
        let (mut devices, mut risks) = (Map::new(), Map::new());
        let listed = question.device().and_then(|id| self.inventory.device(id));
        if let Some(device) = listed.filter(|device| device.function != Function::Server) {
            let hours = self.hours.get(&device.device_type);
            let entry = plant::of_device(device, hours, &self.inventory);
            devices.insert(device.id.to_string(), entry);
            risks.insert(device.id.to_string(), json!(risk));
        }
        // The policies and the plant stay; the device is laid beside them for this question only.
        let mut engine = self.engine.clone();
        engine.add_data(rego(json!({
            "andon": { "plant": { "devices": devices }, "risk": { "devices": risks } },
        }))?)?;
        engine.set_input(rego(asked.into())?);
        let answer = engine
            .eval_rule(ENTRY.to_owned())
            .map_err(|e| anyhow!("the policies cannot decide: {e}"))?;
        serde_json::to_value(&answer)
            .and_then(serde_json::from_value)
            .map_err(|e| anyhow!("what the policies answer is no decision: {e}"))
    }
}

fn rego(value: serde_json::Value) -> anyhow::Result<Value> {
    Ok(serde_json::from_value(value)?)
}
