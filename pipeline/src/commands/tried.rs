//! A test of ways: one thing through each, and what became of it.

use std::io::Write;

use andon_emit::outlet::{Event, Told, Trouble, Way};
use serde_json::json;

use crate::args::Format;

/// Whether the receiver says that it arrived, or why it did not.
pub(super) type Tried = Result<bool, String>;

/// Sends one thing.
pub(super) fn tried<T: Told>(way: &mut dyn Way<T>, item: &T) -> Tried {
    let event = Event {
        id: item.id(),
        item,
    };
    let done = way.send(&event).and_then(|()| way.settle());
    done.map(|()| way.confirms())
        .map_err(|trouble| match trouble {
            Trouble::Later { why, .. } | Trouble::Never(why) => why,
        })
}

/// Says what became of it.
pub(super) fn tell(
    outlet: &str,
    tried: &Tried,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match (format, tried) {
        (Format::Json, _) => {
            // Null: it went out, and the receiver does not say more.
            let arrived = tried
                .as_ref()
                .map_or(Some(false), |yes| yes.then_some(true));
            let why = tried.as_ref().err();
            let told = json!({ "outlet": outlet, "arrived": arrived, "why": why });
            writeln!(out, "{told}")?;
        }
        (Format::Text, Ok(true)) => writeln!(out, "{outlet}: it arrived")?,
        (Format::Text, Ok(false)) => {
            writeln!(out, "{outlet}: it was sent; nobody says whether it arrived")?;
        }
        (Format::Text, Err(why)) => writeln!(out, "{outlet}: it did not arrive: {why}")?,
    }
    Ok(())
}
