//! The commands that are kept, as the pipeline last told of them: of each device, what stands and
//! the newest of those that are over.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use andon_schemas::identity::DeviceId;
use andon_schemas::order::{Order, OrderHistory, OrderScope, OrderState};
use andon_schemas::time::EventTime;

/// When a command last moved, and its id.
type Rank = (EventTime, Arc<str>);

/// Which commands are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sought {
    pub(crate) scope: OrderScope,
    pub(crate) device: Option<DeviceId>,
    pub(crate) after: Option<OrderCursor>,
    pub(crate) limit: usize,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrderCursor(Rank);

impl OrderCursor {
    /// Behind this command.
    pub(crate) fn behind(order: &Order) -> Self {
        Self(rank(order))
    }

    /// As it is handed out.
    pub(crate) fn text(&self) -> String {
        let (at, id) = &self.0;
        format!("{}.{id}", at.micros())
    }

    /// What was handed out.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        let at = EventTime::from_micros(at.parse().ok()?);
        Some(Self((at, id.into())))
    }
}

fn rank(order: &Order) -> Rank {
    (order.updated, order.command.command_id.as_str().into())
}

/// Commands, by id.
#[derive(Debug, Default)]
pub(crate) struct OrderBook {
    kept: HashMap<Arc<str>, Arc<OrderHistory>>,
    of_device: HashMap<DeviceId, Vec<Arc<str>>>,
    /// By when they last moved.
    ranks: BTreeSet<Rank>,
    /// Those that wait for a person.
    waiting: u64,
    /// Devices about which commands are held back, and until when.
    suppressed: HashMap<DeviceId, EventTime>,
}

impl OrderBook {
    /// Everything that is kept about a device from now on.
    pub(crate) fn set(&mut self, device: &DeviceId, histories: Vec<OrderHistory>) {
        for id in self.of_device.remove(device).unwrap_or_default() {
            if let Some(gone) = self.kept.remove(&id) {
                self.ranks.remove(&rank(&gone.order));
                self.waiting -= u64::from(gone.order.state == OrderState::Proposed);
            }
        }
        let mut ids = Vec::with_capacity(histories.len());
        for found in histories {
            let (at, id) = rank(&found.order);
            self.waiting += u64::from(found.order.state == OrderState::Proposed);
            self.ranks.insert((at, id.clone()));
            self.kept.insert(id.clone(), Arc::new(found));
            ids.push(id);
        }
        if !ids.is_empty() {
            self.of_device.insert(device.clone(), ids);
        }
    }

    /// Number of commands that wait for a person.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Says until when commands about a device are held back; returns whether that is news.
    pub(crate) fn suppress(&mut self, device: &DeviceId, until: Option<EventTime>) -> bool {
        let before = match until {
            Some(until) => self.suppressed.insert(device.clone(), until),
            None => self.suppressed.remove(device),
        };
        before != until
    }

    /// Until when commands about a device are held back; `None` if they are not.
    pub(crate) fn suppressed_until(&self, device: &DeviceId) -> Option<EventTime> {
        self.suppressed.get(device).copied()
    }

    /// One command with its life.
    pub(crate) fn one(&self, id: &str) -> Option<Arc<OrderHistory>> {
        self.kept.get(id).cloned()
    }

    /// The commands that are sought, newest first.
    pub(crate) fn list(&self, sought: &Sought) -> Vec<Arc<OrderHistory>> {
        let own: Option<BTreeSet<Rank>> = sought.device.as_ref().map(|device| {
            let ids = self.of_device.get(device).into_iter().flatten();
            ids.filter_map(|id| Some(rank(&self.kept.get(id)?.order)))
                .collect()
        });
        let ranks = own.as_ref().unwrap_or(&self.ranks);
        let below = match &sought.after {
            Some(OrderCursor(last)) => ranks.range(..last),
            None => ranks.range::<Rank, _>(..),
        };
        let found = below.rev().filter_map(|(_, id)| self.kept.get(id));
        let fits = found.filter(|found| sought.scope.holds(found.order.state));
        fits.take(sought.limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use andon_schemas::command::{Action, Approval, COMMAND_SCHEMA, Command, Mode, Response};

    use super::*;

    fn history(device: &str, id: &str, at: i64, state: OrderState) -> OrderHistory {
        let at = EventTime::from_micros(at);
        OrderHistory {
            order: Order {
                command: Command {
                    schema: COMMAND_SCHEMA.to_owned(),
                    command_id: id.to_owned(),
                    verdict_id: "v".to_owned(),
                    step: 1,
                    device_id: DeviceId::new(device).unwrap(),
                    site: "s".to_owned(),
                    issued: at,
                    release: false,
                    reason: String::new(),
                    response: Response {
                        action: Action::Isolate,
                        mode: Mode::Monitor,
                        scope: Vec::new(),
                        exceptions: Vec::new(),
                        expires: None,
                        approval: Approval::Automatic,
                        note: String::new(),
                        notify: Vec::new(),
                    },
                },
                state,
                updated: at,
                by: None,
                note: String::new(),
            },
            history: Vec::new(),
        }
    }

    fn ids(book: &OrderBook, sought: &Sought) -> Vec<String> {
        let found = book.list(sought);
        let id = |found: &Arc<OrderHistory>| found.order.command.command_id.clone();
        found.iter().map(id).collect()
    }

    #[test]
    fn the_newest_comes_first_page_by_page_and_what_is_no_longer_kept_is_gone() {
        let mut book = OrderBook::default();
        let (a, b) = (DeviceId::new("a").unwrap(), DeviceId::new("b").unwrap());
        let first = vec![
            history("a", "a-1", 1, OrderState::Expired),
            history("a", "a-2", 5, OrderState::Proposed),
        ];
        book.set(&a, first);
        book.set(&b, vec![history("b", "b-1", 3, OrderState::Issued)]);
        let mut sought = Sought {
            scope: OrderScope::All,
            limit: 2,
            ..Sought::default()
        };
        assert_eq!(ids(&book, &sought), ["a-2", "b-1"]);
        let last = book.one("b-1").unwrap();
        let cursor = OrderCursor::behind(&last.order);
        assert_eq!(OrderCursor::read(&cursor.text()), Some(cursor.clone()));
        sought.after = Some(cursor);
        assert_eq!(ids(&book, &sought), ["a-1"]);
        assert_eq!(book.waiting(), 1);

        book.set(&a, vec![history("a", "a-2", 9, OrderState::Issued)]);
        assert_eq!(book.waiting(), 0);
        assert!(book.one("a-1").is_none());
        let of_a = Sought {
            device: Some(a.clone()),
            limit: 9,
            ..Sought::default()
        };
        assert_eq!(ids(&book, &of_a), ["a-2"]);
        book.set(&a, Vec::new());
        assert_eq!(ids(&book, &of_a), [] as [&str; 0]);
    }
}
