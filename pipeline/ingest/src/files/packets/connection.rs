//! What a flow of TCP has come to: which flags each side has sent and how many bytes.

use andon_schemas::observation::ConnState;

use super::transport::{ACK, FIN, RST, SYN, Tcp};

/// A segment this far from where its side has got to says nothing about how far that is: a forged
/// or damaged number would otherwise count as gigabytes. Windows of this size are not in use.
const JUMP_MAX: u64 = 16 << 20;

/// How far one side has got, by its sequence numbers: what is sent again counts once, and what the
/// capture missed counts too, once a second segment bears it out.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Number of the first byte, once known.
    first: Option<u32>,
    /// Bytes from there to the highest one seen.
    reached: u64,
    /// A segment beyond that, from and to: bytes before it are missed, or it is forged.
    beyond: Option<(u64, u64)>,
    /// Bytes of segments that fit nowhere.
    astray: u64,
}

impl Progress {
    fn advance(&mut self, from: u32, length: u64) {
        let first = *self.first.get_or_insert(from);
        if length == 0 {
            return;
        }
        // The low half of what has been reached is all that the number can be compared with.
        let [a, b, c, d, ..] = self.reached.to_le_bytes();
        let here = first.wrapping_add(u32::from_le_bytes([a, b, c, d]));
        let ahead = u64::from(from.wrapping_sub(here));
        let behind = u64::from(here.wrapping_sub(from));
        if ahead == 0 || behind <= self.reached.min(JUMP_MAX) {
            self.reached += length.saturating_sub(behind);
        } else if ahead <= JUMP_MAX {
            let from = self.reached + ahead;
            self.jump(from, from + length);
        } else {
            self.astray += length;
        }
        if let Some((from, to)) = self.beyond
            && from <= self.reached
        {
            self.reached = self.reached.max(to);
            self.beyond = None;
        }
    }

    /// Takes a segment that leaves bytes out.
    fn jump(&mut self, from: u64, to: u64) {
        match self.beyond {
            Some((before, end)) if from >= before => {
                self.reached = end;
                self.beyond = Some((from, to));
            }
            // It goes on from an earlier place, and nothing from the later one.
            Some((before, end)) => {
                self.astray += end - before;
                self.beyond = Some((from, to));
            }
            None => self.beyond = Some((from, to)),
        }
    }

    fn bytes(&self) -> u64 {
        let beyond = self.beyond.map_or(0, |(from, to)| to - from);
        self.reached + self.astray + beyond
    }
}

/// One side of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// Every flag it has sent.
    flags: u8,
    /// Number of its SYN.
    opened: Option<u32>,
    /// Whether it has sent anything but a reset.
    spoke: bool,
    progress: Progress,
}

impl Side {
    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A connection, by its sides: who opened it, who was connected to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connection([Side; 2]);

impl Connection {
    /// Counts a segment of the originator (0) or the responder (1).
    pub(super) fn segment(&mut self, side: usize, tcp: Tcp, length: u64) {
        let side = &mut self.0[side];
        side.flags |= tcp.flags;
        if tcp.has(RST) {
            // What a reset carries is a text for people, and its number is often made up.
            return;
        }
        side.spoke = true;
        if tcp.has(SYN) {
            side.opened = Some(tcp.sequence);
        }
        side.progress.advance(tcp.data_from(), length);
    }

    /// Counts a later fragment of a segment: `from` is the number of its first byte.
    pub(super) fn fragment(&mut self, side: usize, from: u32, length: u64) {
        self.0[side].progress.advance(from, length);
    }

    /// Payload bytes of a side.
    pub(super) fn bytes(&self, side: usize) -> u64 {
        self.0[side].progress.bytes()
    }

    /// Both sides have said their last, or one has hung up.
    pub(super) const fn is_closed(&self) -> bool {
        let [originator, responder] = &self.0;
        originator.has(FIN) && responder.has(FIN) || originator.has(RST) || responder.has(RST)
    }

    /// Whether it was asked for and nothing came back.
    pub(super) const fn is_attempt(&self) -> bool {
        matches!(self.state(), ConnState::Attempt)
    }

    /// Whether this segment opens another connection than this one.
    pub(super) fn is_another(&self, side: usize, tcp: Tcp) -> bool {
        let side = &self.0[side];
        // Captures from several ports put an answer before its question now and then.
        tcp.opens() && side.spoke && side.opened != Some(tcp.sequence)
    }

    /// How far it got. With its beginning seen, as Zeek has it: S0, SH and RSTOS0 are attempts,
    /// REJ is rejected, the others are answered. Seen from the middle it is answered if both sides
    /// spoke and its end was seen (SF, RSTO, RSTR), and otherwise unknown (OTH).
    pub(super) const fn state(&self) -> ConnState {
        let [originator, responder] = &self.0;
        let accepted = responder.has(SYN) && responder.has(ACK) && responder.spoke;
        if originator.opened.is_some() {
            return if accepted || responder.spoke {
                ConnState::Answered
            } else if responder.has(RST) {
                ConnState::Rejected
            } else {
                ConnState::Attempt
            };
        }
        let ended = originator.has(FIN) || responder.has(FIN) || self.is_closed();
        if originator.spoke && responder.spoke && (accepted || ended) {
            ConnState::Answered
        } else {
            ConnState::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(flags: u8, sequence: u32) -> Tcp {
        Tcp { sequence, flags }
    }

    /// `S` to `r`: flags of the originator in upper case, of the responder in lower case.
    fn state(history: &str) -> ConnState {
        let mut connection = Connection::default();
        for letter in history.chars() {
            let flags = match letter.to_ascii_lowercase() {
                's' => SYN,
                'h' => SYN | ACK,
                'f' => FIN | ACK,
                'r' => RST,
                _ => ACK,
            };
            connection.segment(usize::from(letter.is_lowercase()), tcp(flags, 1), 0);
        }
        connection.state()
    }

    #[test]
    fn states_are_those_that_zeek_means() {
        for (history, expected) in [
            ("S", ConnState::Attempt),
            ("SSS", ConnState::Attempt),
            ("SR", ConnState::Attempt),
            ("SF", ConnState::Attempt),
            ("Sr", ConnState::Rejected),
            ("ShR", ConnState::Answered),
            ("Sh", ConnState::Answered),
            ("ShADadFf", ConnState::Answered),
            ("ShADdaFr", ConnState::Answered),
            ("DdAFf", ConnState::Answered),
            ("DdR", ConnState::Answered),
            ("Dd", ConnState::Unknown),
            ("h", ConnState::Unknown),
            ("r", ConnState::Unknown),
            ("R", ConnState::Unknown),
        ] {
            assert_eq!(state(history), expected, "{history}");
        }
    }

    #[test]
    fn bytes_sent_again_count_once_and_missed_ones_count() {
        let mut connection = Connection::default();
        let mut data = |sequence, length| {
            connection.segment(0, tcp(ACK, sequence), length);
            connection.bytes(0)
        };
        assert_eq!(data(u32::MAX - 49, 100), 100);
        assert_eq!(data(u32::MAX - 49, 100), 100, "sent again, across the wrap");
        assert_eq!(data(0, 100), 150, "half of it sent again");
        assert_eq!(
            data(200, 100),
            250,
            "a hundred bytes missed, or a forged number"
        );
        assert_eq!(data(300, 100), 450, "they were missed");
        assert_eq!(data(399, 1), 450, "a keep-alive");
        assert_eq!(data(100, 100), 450, "what was missed comes late");
        assert_eq!(data(0x8000_0000, 7), 457, "a number from nowhere");
        assert_eq!(data(100_400, 9), 466, "a forged number");
        assert_eq!(data(400, 100), 566, "it goes on from where it was");
        assert_eq!(data(600, 100), 666, "out of order");
        assert_eq!(data(500, 100), 766, "and what was before it");
        assert_eq!(data(700, 100), 866);
    }

    #[test]
    fn bytes_beyond_four_gigabytes_are_counted() {
        let mut connection = Connection::default();
        let step: u32 = 10 << 20;
        let mut sequence = 5_u32;
        for _ in 0..1_000 {
            connection.segment(1, tcp(ACK, sequence), u64::from(step));
            sequence = sequence.wrapping_add(step);
        }
        assert_eq!(connection.bytes(1), 1_000 * u64::from(step));
    }
}
