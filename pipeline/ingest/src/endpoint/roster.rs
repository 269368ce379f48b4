//! Who is connected and who reads what.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::link::Link;
use super::topic::Filter;

/// Sender name, whether it is proven, and client id: who replaces whom. One who has authenticated
/// can be replaced only by itself.
pub(super) type ClientKey = (String, bool, String);

/// The open connections.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Connections by number, from their CONNECT on.
    links: BTreeMap<u64, Arc<Link>>,
    clients: BTreeMap<ClientKey, u64>,
    /// Connections by address, from their arrival on.
    addresses: BTreeMap<IpAddr, usize>,
    open: usize,
}

impl Roster {
    /// Takes a place for a connection that has arrived; false if there is none.
    pub(super) fn arrive(&mut self, address: IpAddr, open_max: usize, address_max: usize) -> bool {
        if self.open >= open_max {
            return false;
        }
        let count = self.addresses.entry(address).or_default();
        if *count >= address_max {
            return false;
        }
        *count += 1;
        self.open += 1;
        true
    }

    /// Gives the place back.
    pub(super) fn depart(&mut self, address: IpAddr) {
        self.open -= 1;
        if let Some(count) = self.addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// Enters a connection. Returns the one it replaces: the same client, connected before
    /// (v5 §3.1.4-3).
    pub(super) fn enter(&mut self, client: ClientKey, link: Arc<Link>) -> Option<Arc<Link>> {
        let number = link.number;
        self.links.insert(number, link);
        let older = self.clients.insert(client, number)?;
        self.links.get(&older).cloned()
    }

    /// Removes a connection.
    pub(super) fn leave(&mut self, client: &ClientKey, number: u64) {
        self.links.remove(&number);
        if self.clients.get(client) == Some(&number) {
            self.clients.remove(client);
        }
    }

    pub(super) fn link(&self, number: u64) -> Option<&Arc<Link>> {
        self.links.get(&number)
    }
}

/// Which connection reads what. Filters without wildcard, one per device as a rule, are looked up;
/// the few with wildcards are tried one by one.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    exact: BTreeMap<String, BTreeSet<u64>>,
    wild: BTreeMap<u64, BTreeSet<Filter>>,
}

impl Subscriptions {
    /// False if the connection had this filter already.
    pub(super) fn add(&mut self, number: u64, filter: &Filter) -> bool {
        match filter.exact() {
            Some(topic) => self
                .exact
                .entry(topic.to_owned())
                .or_default()
                .insert(number),
            None => self.wild.entry(number).or_default().insert(filter.clone()),
        }
    }

    /// False if the connection did not have this filter.
    pub(super) fn remove(&mut self, number: u64, filter: &Filter) -> bool {
        let Some(topic) = filter.exact() else {
            let Some(filters) = self.wild.get_mut(&number) else {
                return false;
            };
            let removed = filters.remove(filter);
            if filters.is_empty() {
                self.wild.remove(&number);
            }
            return removed;
        };
        let Some(readers) = self.exact.get_mut(topic) else {
            return false;
        };
        let removed = readers.remove(&number);
        if readers.is_empty() {
            self.exact.remove(topic);
        }
        removed
    }

    /// The connections that read this topic, each once.
    pub(super) fn readers(&self, topic: &str) -> BTreeSet<u64> {
        let mut readers = self.exact.get(topic).cloned().unwrap_or_default();
        let wild = self.wild.iter();
        readers.extend(
            wild.filter(|(_, filters)| filters.iter().any(|filter| filter.matches(topic)))
                .map(|(number, _)| *number),
        );
        readers
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::Limits;
    use super::super::wire::{Header, Hello};
    use super::*;

    const HEADER: Header = Header {
        first: 0x10,
        length: 2,
        body: 12,
    };

    fn filter(text: &str) -> Filter {
        Filter::parse(text, 512).unwrap()
    }

    #[test]
    fn overlapping_filters_give_one_copy_and_removal_leaves_nothing() {
        let mut subscriptions = Subscriptions::default();
        for text in ["a/b", "a/+", "#"] {
            assert!(subscriptions.add(1, &filter(text)));
            assert!(!subscriptions.add(1, &filter(text)));
        }
        subscriptions.add(2, &filter("a/b"));
        assert_eq!(subscriptions.readers("a/b"), BTreeSet::from([1, 2]));
        assert_eq!(subscriptions.readers("x"), BTreeSet::from([1]));
        for text in ["a/b", "a/+", "#"] {
            assert!(subscriptions.remove(1, &filter(text)));
            assert!(!subscriptions.remove(1, &filter(text)));
        }
        assert!(subscriptions.remove(2, &filter("a/b")));
        assert!(subscriptions.exact.is_empty() && subscriptions.wild.is_empty());
    }

    #[test]
    fn places_are_limited_in_total_and_per_address() {
        let mut roster = Roster::default();
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        assert!(roster.arrive(a, 3, 2) && roster.arrive(a, 3, 2));
        assert!(!roster.arrive(a, 3, 2));
        assert!(roster.arrive(b, 3, 2));
        assert!(!roster.arrive(b, 3, 2));
        roster.depart(a);
        assert!(roster.arrive(b, 3, 2));
        for address in [a, b, b] {
            roster.depart(address);
        }
        assert!(roster.addresses.is_empty());
    }

    #[test]
    fn a_newer_connection_of_a_client_replaces_the_older_one_only() {
        let mut roster = Roster::default();
        let hello = Hello::read(HEADER, b"\0\x04MQTT\x04\x02\0\0\0\0").unwrap();
        let link = |number| Arc::new(Link::new(number, &hello, &Limits::default()));
        let key = || ("a".to_owned(), true, "id".to_owned());
        assert!(roster.enter(key(), link(1)).is_none());
        let other = ("a".to_owned(), false, "id".to_owned());
        assert!(roster.enter(other, link(2)).is_none());
        assert_eq!(
            roster.enter(key(), link(3)).map(|older| older.number),
            Some(1)
        );
        roster.leave(&key(), 1);
        assert_eq!(
            roster.enter(key(), link(4)).map(|older| older.number),
            Some(3)
        );
    }
}
