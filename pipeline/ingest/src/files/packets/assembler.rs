//! Packets in, flows and DNS answers out.

use std::collections::VecDeque;
use std::net::IpAddr;

use andon_schemas::observation::{Body, Record, RecordBody, Transport};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;

use super::aside::Aside;
use super::container::Captured;
use super::dns;
use super::flow::{Flow, Key, Packet, fragment_base};
use super::fragments::{Fragments, Known};
use super::link::{self, IPV4, IPV6};
use super::network::{Datagram, datagram};
use super::table::Table;
use super::transport::{Segment, segment};
use super::tunnel;
use crate::refused::Refused;

/// How deep tunnels are followed.
const TUNNELS_MAX: usize = 4;

/// Records with the number of the packet they rest on.
pub(super) type Out = VecDeque<(u64, Result<Record, Refused>)>;

/// Assembles flows.
#[derive(Debug)]
pub(super) struct Assembler {
    flows: Table,
    fragments: Fragments,
    pub(super) aside: Aside,
    /// Flows that were told before they had ended, because too many were open.
    pub(super) evicted: u64,
}

impl Assembler {
    /// An assembler that has seen nothing yet and holds at most `max` flows at one time.
    pub(super) fn new(max: usize) -> Self {
        Self {
            flows: Table::new(max),
            fragments: Fragments::default(),
            aside: Aside::default(),
            evicted: 0,
        }
    }

    /// Takes a packet. A tunnel is a flow, and so is what goes through it.
    ///
    /// # Errors
    /// Says what of it cannot be read.
    pub(super) fn take(
        &mut self,
        number: u64,
        captured: &Captured<'_>,
        out: &mut Out,
    ) -> Result<(), Refused> {
        let mut outer = *captured;
        for _ in 0..=TUNNELS_MAX {
            match self.frame(number, &outer, out)? {
                Some(inside) => outer = inside,
                None => break,
            }
        }
        Ok(())
    }

    /// Takes a frame; gives back what goes through it, if it is a tunnel.
    fn frame<'a>(
        &mut self,
        number: u64,
        captured: &Captured<'a>,
        out: &mut Out,
    ) -> Result<Option<Captured<'a>>, Refused> {
        let Some(carried) = link::strip(captured.link, captured.data) else {
            self.aside.link(number, captured.link);
            return Ok(None);
        };
        let carried = carried?;
        if !matches!(carried.kind, IPV4 | IPV6) {
            self.aside.carried(number, carried.kind, carried.payload);
            return Ok(None);
        }
        let wire = captured.length.saturating_sub(carried.at);
        let datagram = datagram(carried.payload, wire)?;
        self.datagram(number, captured.time, &datagram, out)?;
        Ok(tunnel::inside(captured.time, &datagram))
    }

    fn datagram(
        &mut self,
        number: u64,
        time: EventTime,
        datagram: &Datagram<'_>,
        out: &mut Out,
    ) -> Result<(), Refused> {
        match datagram.fragment {
            Some(fragment) if fragment.at > 0 => {
                self.later_part(time, datagram, fragment.id, fragment.at)
            }
            _ => self.whole(number, time, datagram, out),
        }
    }

    /// Takes a packet that names its ports: a whole one, or the first part.
    fn whole(
        &mut self,
        number: u64,
        time: EventTime,
        datagram: &Datagram<'_>,
        out: &mut Out,
    ) -> Result<(), Refused> {
        let segment = segment(datagram)?;
        let [from, to] = segment.ports;
        let source = (datagram.source, from);
        let destination = (datagram.destination, to);
        let (key, backwards) = Key::of(datagram.protocol, source, destination);
        if let Some(fragment) = datagram.fragment {
            let header = datagram.length - segment.length;
            let known = Known {
                key,
                backwards,
                base: segment.tcp.map(|tcp| fragment_base(tcp, header)),
                time,
            };
            let id = (
                datagram.source,
                datagram.destination,
                datagram.protocol,
                fragment.id,
            );
            self.fragments.first(id, known);
        }
        let packet = Packet {
            time,
            number,
            backwards,
            segment,
        };
        let is_dns = self.count(key, &packet, out);
        if is_dns && datagram.fragment.is_none() {
            answer(number, time, datagram, &segment, out);
        }
        Ok(())
    }

    /// Counts a packet in its flow; whether that is one of DNS.
    fn count(&mut self, key: Key, packet: &Packet<'_>, out: &mut Out) -> bool {
        if let Some(flow) = self.flows.get(&key)
            && !flow.is_over(packet)
        {
            if flow.is_due(packet.time) {
                let told = flow.tell(packet.time);
                out.push_back((flow.number, Ok(told)));
            }
            flow.packet(packet);
            return flow.naming.service() == Some("dns");
        }
        let before = self.flows.get(&key);
        let continues = before.is_some();
        let mut flow = Flow::new(key, packet, before.as_deref());
        flow.packet(packet);
        let is_dns = flow.naming.service() == Some("dns");
        if let Some(mut ended) = self.flows.put(key, flow) {
            if !continues && !ended.is_stale(packet.time) {
                self.evicted += 1;
            }
            out.push_back((ended.number, Ok(ended.record(false))));
        }
        is_dns
    }

    /// Counts a part that names no ports.
    fn later_part(
        &mut self,
        time: EventTime,
        datagram: &Datagram<'_>,
        id: u32,
        at: usize,
    ) -> Result<(), Refused> {
        let id = (datagram.source, datagram.destination, datagram.protocol, id);
        let known = self.fragments.find(&id, time);
        let Some((known, flow)) =
            known.and_then(|known| Some((known, self.flows.get(&known.key)?)))
        else {
            return Err(Refused::new(
                RejectReason::MissingField,
                "packet is a later fragment, and the first one, which names the ports, was not \
                 seen before it",
            ));
        };
        // An offset has 16 bits.
        let at = u32::try_from(at).unwrap_or_default();
        let from = known.base.map(|base| base.wrapping_add(at));
        flow.fragment(time, known.backwards, from, datagram);
        Ok(())
    }

    /// Ends all flows.
    pub(super) fn end(&mut self, out: &mut Out) {
        for mut flow in self.flows.drain() {
            out.push_back((flow.number, Ok(flow.record(false))));
        }
    }
}

/// Tells what a DNS server answered, if the packet holds all of its answer.
fn answer(
    number: u64,
    time: EventTime,
    datagram: &Datagram<'_>,
    segment: &Segment<'_>,
    out: &mut Out,
) {
    let client = datagram.destination;
    let to_one = match client {
        IpAddr::V4(v4) => !v4.is_multicast() && !v4.is_broadcast(),
        IpAddr::V6(v6) => !v6.is_multicast(),
    };
    if !to_one || segment.payload.len() < segment.length {
        return;
    }
    let message = match segment.transport {
        // A length goes before each message.
        Transport::Tcp => segment.payload.get(2..).unwrap_or_default(),
        _ => segment.payload,
    };
    let told = match dns::answer(message, datagram.source) {
        Ok(None) => return,
        Ok(Some(resolution)) => Ok(Record {
            device: None,
            address: Some(client),
            event_time: time,
            received_at: None,
            sender: None,
            seq: None,
            body: RecordBody::Single(Body::Resolution(resolution)),
        }),
        Err(refused) => Err(refused),
    };
    out.push_back((number, told));
}
