//! The topics in the words of `AsyncAPI` 3.0: what goes over Kafka and MQTT, by what key, how long
//! it is kept, who sends it and who receives it.
//!
//! The document of `contracts/` refers to the schemas that lie beside it; the one that is served
//! holds them itself.

mod channels;
mod messages;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::channels::{CHANNELS, Channel, On};
use self::messages::{MESSAGES, Message, Payload};

/// Where the schemas of the messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemas {
    /// In files beside the document.
    Beside,
    /// In the document.
    Within,
}

/// The document.
pub fn document(schemas: Schemas) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut messages = Map::new();
    for message in MESSAGES {
        let payload = match (message.payload, schemas) {
            (Payload::Contract(_), Schemas::Beside) => {
                json!({ "$ref": format!("./{}.schema.json", message.name) })
            }
            (Payload::Contract(schema), Schemas::Within) => schema(&mut generator).to_value(),
            (Payload::Ours(what), _) => json!({ "description": what }),
        };
        messages.insert(message.name.to_owned(), written(message, &payload));
    }
    let mut components = json!({ "messages": messages });
    if schemas == Schemas::Within {
        components["schemas"] = Value::Object(generator.take_definitions(true));
    }
    let mut channels = Map::new();
    let mut operations = Map::new();
    for channel in CHANNELS {
        let id = channel.id();
        for (does, action, who) in [
            ("receive", "receive", channel.receivers()),
            ("send", "send", channel.senders()),
        ] {
            if !who.is_empty() {
                operations.insert(format!("{does}-{id}"), operation(channel, action, &who));
            }
        }
        channels.insert(id, described(channel));
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Andon",
            "version": "1",
            "description": "What Andon takes and gives over Kafka and MQTT. On Kafka, read committed \
                            records only. Topics of an installation may begin with another word than \
                            `andon`. Members of a message that a reader does not know are to be \
                            passed over: a version gains members, and never loses one.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": server("kafka", "127.0.0.1:9092"),
            "mqtt": server("mqtt", "127.0.0.1:1883"),
        },
        "channels": channels,
        "operations": operations,
        "components": components,
    })
}

fn server(protocol: &str, address: &str) -> Value {
    json!({
        "host": "{address}",
        "protocol": protocol,
        "variables": { "address": {
            "default": address, "description": "Host and port, as the installation has them.",
        } },
    })
}

fn written(message: &Message, payload: &Value) -> Value {
    let mut written = json!({
        "name": message.name,
        "title": message.title(),
        "summary": message.summary,
        "payload": payload,
    });
    if !matches!(message.payload, Payload::Contract(_)) {
        written["contentType"] = json!("application/octet-stream");
    }
    if let Some(key) = message.key {
        written["bindings"] = json!({ "kafka": {
            "key": { "type": "string", "description": key },
            "bindingVersion": "0.5.0",
        } });
    }
    if !message.headers.is_empty() {
        let headers: Map<String, Value> = message
            .headers
            .iter()
            .map(|(name, what)| {
                let header = json!({ "type": "string", "description": what });
                ((*name).to_owned(), header)
            })
            .collect();
        written["headers"] = json!({ "type": "object", "properties": headers });
    }
    written
}

fn described(channel: &Channel) -> Value {
    let messages: Map<String, Value> = channel
        .messages
        .iter()
        .map(|name| {
            let message = json!({ "$ref": format!("#/components/messages/{name}") });
            ((*name).to_owned(), message)
        })
        .collect();
    let mut described = json!({
        "address": channel.address(),
        "title": channel.what,
        "description": channel.description,
        "servers": [{ "$ref": format!("#/servers/{}", channel.on.server()) }],
        "messages": messages,
        "x-senders": channel.from,
        "x-receivers": channel.to,
    });
    match channel.on {
        On::Kafka {
            partitions,
            settings,
        } => {
            let settings: Map<String, Value> = settings
                .iter()
                .map(|(key, value)| {
                    let value = match (*key, value.parse::<i64>()) {
                        ("cleanup.policy", _) => json!([value]),
                        (_, Ok(number)) => json!(number),
                        (_, Err(_)) => json!(value),
                    };
                    ((*key).to_owned(), value)
                })
                .collect();
            let mut binding = json!({
                "topicConfiguration": settings, "bindingVersion": "0.5.0",
            });
            if let Some(partitions) = partitions {
                binding["partitions"] = json!(partitions);
            }
            described["bindings"] = json!({ "kafka": binding });
        }
        On::Mqtt { speaker, .. } => {
            described["parameters"] = json!({
                "site": { "description": "The site, as the inventory names it." },
                "device": { "description": speaker },
            });
        }
    }
    described
}

fn operation(channel: &Channel, action: &str, who: &[&str]) -> Value {
    let id = channel.id();
    let messages: Vec<Value> = channel
        .messages
        .iter()
        .map(|name| json!({ "$ref": format!("#/channels/{id}/messages/{name}") }))
        .collect();
    let tags: Vec<Value> = who.iter().map(|name| json!({ "name": name })).collect();
    let mut operation = json!({
        "action": action,
        "channel": { "$ref": format!("#/channels/{id}") },
        "summary": format!("Done by: {}.", who.join(", ")),
        "messages": messages,
        "tags": tags,
    });
    if let On::Mqtt { retained, .. } = channel.on {
        let mut binding = json!({ "qos": 1, "bindingVersion": "0.2.0" });
        if action == "send" {
            binding["retain"] = json!(retained);
        }
        operation["bindings"] = json!({ "mqtt": binding });
    }
    operation
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every reference in a document.
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member.as_str().filter(|_| name == "$ref") {
                        Some(reference) => found.push(reference),
                        None => references(member, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_of_the_document_that_is_served_leads_somewhere() {
        let document = document(Schemas::Within);
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > CHANNELS.len());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect(reference);
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_channel_is_used_and_every_message_is_in_one() {
        let mut used = BTreeSet::new();
        for channel in CHANNELS {
            assert!(
                !channel.receivers().is_empty() || !channel.senders().is_empty(),
                "{}",
                channel.id()
            );
            used.extend(channel.messages.iter().copied());
        }
        let named: BTreeSet<&str> = MESSAGES.iter().map(|message| message.name).collect();
        assert_eq!(used, named);
    }

    #[test]
    fn every_message_on_kafka_has_a_key() {
        for channel in CHANNELS {
            for message in MESSAGES {
                let is_on_kafka = matches!(channel.on, On::Kafka { .. });
                if is_on_kafka && channel.messages.contains(&message.name) {
                    assert!(message.key.is_some(), "{}", message.name);
                }
            }
        }
    }
}
