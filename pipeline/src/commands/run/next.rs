//! What a live run waits for.

use andon_ingest::delivery::Delivery;
use tokio::sync::mpsc;

use super::IDLE_EVERY;
use crate::live::acts::Asked;

/// What a run goes on with.
pub(super) enum Next {
    Delivery(Delivery),
    Act(Asked),
    /// Nothing has come for a while.
    Nothing,
    /// Nothing will come any more.
    End,
}

/// What comes next. Decisions go first: they are few, and somebody waits.
pub(super) async fn next(
    deliveries: &mut mpsc::Receiver<Delivery>,
    asked: &mut mpsc::Receiver<Asked>,
) -> Next {
    tokio::select! {
        biased;
        Some(asked) = asked.recv() => Next::Act(asked),
        delivery = deliveries.recv() => delivery.map_or(Next::End, Next::Delivery),
        () = tokio::time::sleep(IDLE_EVERY) => Next::Nothing,
    }
}
