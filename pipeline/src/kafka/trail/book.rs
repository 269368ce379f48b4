//! The commands as the audit trail tells of them: of each device what stands, and a few that are over.

use std::collections::{BTreeMap, HashMap};

use andon_console::Board;
use andon_schemas::act::ActKind;
use andon_schemas::audit::{AuditEntry, AuditEvent};
use andon_schemas::chain::Chain;
use andon_schemas::identity::DeviceId;
use andon_schemas::order::{Order, OrderHistory, OrderStep};
use andon_schemas::time::{EventTime, Span};

use crate::kafka::directory::Directory;

/// Commands that are over are kept this long, as the desks do.
const KEPT: Span = Span::DAY;
/// At most so many commands of a device that are over are kept.
const OVER_MAX: usize = 16;
/// At most so many steps of a command's life are kept.
const STEPS_MAX: usize = 32;
/// After so many entries, what is over for long is let go of.
const SWEPT_AFTER: u32 = 10_000;

/// The commands, by device.
#[derive(Debug)]
pub(super) struct Book {
    board: Option<Board>,
    directory: Directory,
    of_device: HashMap<DeviceId, Vec<Kept>>,
    chains: BTreeMap<i32, Chain>,
    newest: EventTime,
    /// Entries since it was swept.
    unswept: u32,
}

/// An order: when it last moved and, once it is over, that it is; more only for whoever is shown it.
#[derive(Clone, Debug)]
struct Kept {
    command_id: Box<str>,
    updated: EventTime,
    is_over: bool,
    shown: Option<Box<OrderHistory>>,
}

impl Book {
    pub(super) fn new(board: Option<Board>, directory: Directory) -> Self {
        Self {
            board,
            directory,
            of_device: HashMap::new(),
            chains: BTreeMap::new(),
            newest: EventTime::MIN,
            unswept: 0,
        }
    }

    /// Takes a record of the trail.
    pub(super) fn take(&mut self, payload: &[u8]) {
        match serde_json::from_slice(payload) {
            Ok(entry) => self.entry(entry),
            // Nobody but us writes there.
            Err(error) => tracing::error!("a record of the audit trail is none: {error}"),
        }
    }

    fn entry(&mut self, entry: AuditEntry) {
        self.check(&entry);
        self.newest = self.newest.max(entry.at);
        self.unswept += 1;
        if self.unswept > SWEPT_AFTER {
            self.sweep();
        }
        if let (Some(board), Some((device, until))) = (&self.board, held_back(&entry)) {
            board.suppressed(device, Some(until));
        }
        let Some(order) = entry.order else { return };
        let device = order.command.device_id.clone();
        let kept = self.of_device.entry(device.clone()).or_default();
        stand(kept, &order, self.board.is_some());
        if let Some(desk) = entry.chain {
            self.directory.order(&order, desk);
        }
        self.let_go(&device, true);
        if let Some(board) = &self.board {
            board.command_moved(&order);
        }
    }

    /// Follows the chain; the first entry of one that is seen is believed.
    fn check(&mut self, entry: &AuditEntry) {
        let Some(number) = entry.chain else { return };
        let begin = || Chain {
            number: entry.link.number.saturating_sub(1),
            last: entry.link.previous.clone(),
        };
        let chain = self.chains.entry(number).or_insert_with(begin);
        if let Err(why) = chain.follow(entry) {
            tracing::error!(chain = number, "the audit trail does not hold: {why}");
            *chain = Chain {
                number: entry.link.number,
                last: entry.link.hash.clone(),
            };
        }
    }

    fn sweep(&mut self) {
        self.unswept = 0;
        let devices: Vec<DeviceId> = self.of_device.keys().cloned().collect();
        for device in devices {
            self.let_go(&device, false);
        }
    }

    /// Lets go of what is over for long about a device, and tells what is left if that is news.
    fn let_go(&mut self, device: &DeviceId, is_news: bool) {
        let Some(kept) = self.of_device.get_mut(device) else {
            return;
        };
        let now = self.newest;
        let gone = prune(kept, now);
        if gone.is_empty() && !is_news {
            return;
        }
        for gone in gone {
            self.directory.forget_order(&gone.command_id);
        }
        if let Some(board) = &self.board {
            let shown = kept.iter().filter_map(|kept| kept.shown.as_deref());
            board.commands(device, shown.cloned().collect());
        }
        if kept.is_empty() {
            self.of_device.remove(device);
            self.directory.forget_device(device);
        }
    }
}

/// The device that a person had commands held back about, and until when.
fn held_back(entry: &AuditEntry) -> Option<(&DeviceId, EventTime)> {
    let act = entry.act.as_ref()?;
    match &act.kind {
        ActKind::Suppress { device, hours } if entry.event == AuditEvent::Act => {
            Some((device, entry.at + Span::HOUR.times(i64::from(*hours))))
        }
        _ => None,
    }
}

/// An order stands somewhere else now.
fn stand(kept: &mut Vec<Kept>, order: &Order, is_shown: bool) {
    let id = &order.command.command_id;
    let at = kept.iter().position(|known| *known.command_id == **id);
    let at = at.unwrap_or_else(|| {
        kept.reserve_exact(1);
        kept.push(Kept {
            command_id: id.as_str().into(),
            updated: order.updated,
            is_over: false,
            shown: is_shown.then(|| {
                Box::new(OrderHistory {
                    order: order.clone(),
                    history: Vec::new(),
                })
            }),
        });
        kept.len() - 1
    });
    let known = &mut kept[at];
    (known.updated, known.is_over) = (order.updated, order.state.is_over());
    let Some(shown) = &mut known.shown else {
        return;
    };
    shown.order.clone_from(order);
    shown.history.push(OrderStep {
        at: order.updated,
        state: order.state,
        by: order.by.clone(),
        reason: order.note.clone(),
    });
    if shown.history.len() > STEPS_MAX {
        // How it began stays.
        shown.history.remove(1);
    }
}

/// Takes out what is over for long, and the oldest of too many.
fn prune(kept: &mut Vec<Kept>, now: EventTime) -> Vec<Kept> {
    let stale = |known: &mut Kept| known.is_over && known.updated + KEPT <= now;
    let mut gone: Vec<Kept> = kept.extract_if(.., stale).collect();
    while kept.iter().filter(|known| known.is_over).count() > OVER_MAX
        && let Some(oldest) = kept.iter().position(|known| known.is_over)
    {
        gone.push(kept.remove(oldest));
    }
    gone
}

#[cfg(test)]
mod tests {
    use andon_schemas::act::Act;
    use andon_schemas::order::OrderState;

    use super::*;

    fn order(device: &str, id: &str, state: &str, minute: i64) -> Order {
        let at = EventTime::from_micros(minute * 60_000_000);
        serde_json::from_value(serde_json::json!({
            "command": {
                "schema": "andon.command.v1", "command_id": id, "verdict_id": "v", "step": 1,
                "device_id": device, "site": "s", "issued": at, "release": false, "reason": "",
                "response": {
                    "action": "isolate", "mode": "enforce", "scope": [], "exceptions": [],
                    "expires": null, "approval": "automatic", "note": "", "notify": [],
                },
            },
            "state": state, "updated": at, "by": null, "note": "",
        }))
        .unwrap()
    }

    fn entry(chain: &mut Chain, desk: i32, order: Order) -> Vec<u8> {
        let mut entry = AuditEntry::new(AuditEvent::Order, order.updated, None, String::new());
        entry.chain = Some(desk);
        entry.order = Some(Box::new(order));
        serde_json::to_vec(&chain.append(entry)).unwrap()
    }

    #[test]
    fn whoever_asks_learns_which_desk_keeps_what_until_it_is_over_for_long() {
        let directory = Directory::default();
        let mut book = Book::new(None, directory.clone());
        let mut chain = Chain::default();
        book.take(&entry(&mut chain, 3, order("a", "one", "issued", 0)));
        let device = DeviceId::new("a").unwrap();
        assert_eq!(directory.of_order("one"), Some(3));
        assert_eq!(directory.of_device(&device), Some(3));
        book.take(&entry(&mut chain, 3, order("a", "one", "released", 1)));
        assert!(book.of_device[&device][0].is_over);
        book.take(b"no entry");
        let day = 24 * 60;
        book.take(&entry(&mut chain, 3, order("b", "two", "issued", day + 2)));
        book.sweep();
        assert_eq!(
            (directory.of_order("one"), directory.of_device(&device)),
            (None, None)
        );
        assert_eq!(directory.of_order("two"), Some(3));
        assert_eq!(book.of_device.len(), 1);
    }

    #[test]
    fn what_ends_at_an_old_desk_hides_nothing_of_the_new_one() {
        let directory = Directory::default();
        let mut book = Book::new(None, directory.clone());
        let (mut old, mut new) = (Chain::default(), Chain::default());
        let device = DeviceId::new("a").unwrap();
        // The trail of the new desk happens to be read first.
        book.take(&entry(&mut new, 5, order("a", "two", "issued", 10)));
        book.take(&entry(&mut old, 3, order("a", "one", "issued", 0)));
        assert_eq!(directory.of_device(&device), Some(5));
        book.take(&entry(&mut old, 3, order("a", "one", "expired", 20)));
        assert_eq!(directory.of_device(&device), Some(5));
        assert_eq!(
            (directory.of_order("one"), directory.of_order("two")),
            (Some(3), Some(5))
        );
    }

    #[test]
    fn of_many_that_are_over_a_few_are_kept() {
        let mut kept = Vec::new();
        for number in 0..40 {
            let over = order("a", &number.to_string(), "expired", number);
            stand(&mut kept, &over, true);
        }
        stand(&mut kept, &order("a", "stands", "issued", 40), true);
        stand(&mut kept, &order("a", "stands", "acknowledged", 41), true);
        let gone = prune(&mut kept, EventTime::from_micros(0));
        assert_eq!((gone.len(), kept.len()), (40 - OVER_MAX, OVER_MAX + 1));
        let stands = kept[OVER_MAX].shown.as_ref().unwrap();
        assert_eq!(stands.order.state, OrderState::Acknowledged);
        assert_eq!(stands.history.len(), 2);
    }

    #[test]
    fn a_chain_is_followed_from_where_it_is_first_seen() {
        let mut book = Book::new(None, Directory::default());
        let mut chain = Chain::default();
        let _before = entry(&mut chain, 1, order("a", "one", "issued", 0));
        book.take(&entry(&mut chain, 1, order("a", "two", "issued", 1)));
        book.take(&entry(&mut chain, 1, order("a", "three", "issued", 2)));
        assert_eq!(book.chains[&1], chain);
    }

    #[test]
    fn what_a_person_held_back_is_known_and_what_was_refused_is_not() {
        let device = DeviceId::new("cnc-1").unwrap();
        let entry = |event, kind| {
            let at = EventTime::from_micros(1_765_000_000_000_000);
            let mut entry = AuditEntry::new(event, at, Some("operator"), String::new());
            entry.act = Some(Box::new(Act::new("a", "operator", "a repair", kind)));
            entry
        };
        let suppress = || ActKind::Suppress {
            device: device.clone(),
            hours: 3,
        };
        let told = entry(AuditEvent::Act, suppress());
        let until = told.at + Span::HOUR.times(3);
        assert_eq!(held_back(&told), Some((&device, until)));
        assert_eq!(held_back(&entry(AuditEvent::ActRefused, suppress())), None);
        let released = ActKind::ReleaseDevice {
            device: device.clone(),
        };
        assert_eq!(held_back(&entry(AuditEvent::Act, released)), None);
    }
}
