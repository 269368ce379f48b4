//! What a live run publishes, and where.

use andon_engine::Item;
use andon_respond::device_view;
use andon_schemas::alert::Alert;
use andon_schemas::command::Command;
use andon_schemas::notice::Notice;

use super::outlet::Outgoing;

/// Where something about a device is published.
fn topic(site: &str, device: &str, what: &str) -> String {
    format!("andon/v1/out/{site}/{device}/{what}")
}

/// What a command tells its device and the enforcement points; nothing in monitor mode.
pub(super) fn order_of(command: &Command) -> anyhow::Result<Option<Outgoing>> {
    let Some(order) = device_view(command) else {
        return Ok(None);
    };
    Ok(Some(Outgoing {
        topic: topic(&command.site, command.device_id.as_str(), "enforcement"),
        payload: serde_json::to_vec(&order)?,
        retain: false,
    }))
}

/// The messages of one thing that came out.
pub(super) fn message_of(item: &Item, site: &str) -> anyhow::Result<Option<Outgoing>> {
    Ok(match item {
        Item::Verdict(verdict) => Some(Outgoing {
            topic: topic(site, verdict.device_id.as_str(), "verdict"),
            payload: serde_json::to_vec(verdict)?,
            retain: false,
        }),
        Item::Risk(update) => Some(Outgoing {
            topic: topic(site, update.device_id.as_str(), "risk"),
            payload: serde_json::to_vec(&update.message())?,
            retain: true,
        }),
        Item::Heartbeat(_)
        | Item::Refusal(_)
        | Item::Late(_)
        | Item::Duplicate(_)
        | Item::Window(_) => None,
    })
}

/// The message of a notice.
pub(super) fn notice_of(notice: &Notice) -> anyhow::Result<Outgoing> {
    Ok(Outgoing {
        topic: topic(&notice.site, notice.device_id.as_str(), "notice"),
        payload: serde_json::to_vec(notice)?,
        retain: false,
    })
}

/// The message of an alert.
pub(super) fn alert_of(alert: &Alert) -> anyhow::Result<Outgoing> {
    Ok(Outgoing {
        topic: topic(&alert.site, alert.device_id.as_str(), "alert"),
        payload: serde_json::to_vec(alert)?,
        retain: false,
    })
}
