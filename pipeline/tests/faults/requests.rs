//! Where requests to a broker begin in what goes over a connection, and which they are.

/// No head of a request that is looked for is longer.
const HEAD_MAX: usize = 128;
/// The length before every request.
const LENGTH: usize = 4;

/// A kind of request, of one client.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    kind: i16,
    client: String,
}

impl Wanted {
    /// The end of a transaction, by a client of this name.
    pub(crate) fn end_of_transaction(client: &str) -> Self {
        Self {
            kind: 26,
            client: client.to_owned(),
        }
    }

    /// Whether a request that begins so is one: its kind, its version and its number are before the
    /// name of the client and the length of that.
    pub(crate) fn is(&self, head: &[u8]) -> bool {
        let name = head
            .get(8..10)
            .and_then(|length| {
                let length = u16::from_be_bytes([length[0], length[1]]);
                head.get(10..10 + usize::from(length))
            })
            .unwrap_or_default();
        head.starts_with(&self.kind.to_be_bytes()) && name == self.client.as_bytes()
    }
}

/// What goes one way on a connection.
#[derive(Default)]
pub(crate) struct Requests {
    /// Of the request that has begun.
    head: Vec<u8>,
    /// Of its bytes, those that are still to come.
    left: usize,
}

impl Requests {
    /// Tells the head of every request of which enough has come.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let (length, wanted) = self.length();
            let taken = (wanted - self.head.len()).min(bytes.len());
            self.head.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if length > LENGTH && self.head.len() == wanted {
                each(&self.head[LENGTH..]);
                self.left = length - wanted;
                self.head.clear();
            }
        }
    }

    /// How long the request is, as far as that has come, and how much of it is its head.
    fn length(&self) -> (usize, usize) {
        let Some(length) = self.head.first_chunk::<LENGTH>() else {
            return (LENGTH, LENGTH);
        };
        let length = LENGTH + usize::try_from(u32::from_be_bytes(*length)).unwrap();
        (length, length.min(HEAD_MAX))
    }
}
