//! The name of the server in a TLS greeting (RFC 8446 §4.1.2, RFC 6066 §3).

use super::host_name;

/// What a greeting tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The name asked for.
    Name(String),
    /// It is no greeting, or names no server.
    Nothing,
    /// More of it has to come.
    Unfinished,
}

/// Looks for the server's name in the beginning of what a client sends.
pub(super) fn server_name(bytes: &[u8]) -> Found {
    let mut hello = Vec::new();
    let mut rest = bytes;
    // The greeting may be spread over several records.
    loop {
        let [kind, 3, _, high, low, body @ ..] = rest else {
            return if rest.len() < 5 {
                Found::Unfinished
            } else {
                Found::Nothing
            };
        };
        if *kind != 0x16 {
            return Found::Nothing;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        hello.extend_from_slice(&body[..body.len().min(length)]);
        match whole(&hello) {
            Whole::Yes(greeting) => return name_in(greeting).map_or(Found::Nothing, Found::Name),
            Whole::No => return Found::Nothing,
            Whole::NotYet if body.len() < length || length == 0 => return Found::Unfinished,
            Whole::NotYet => rest = &body[length..],
        }
    }
}

enum Whole<'a> {
    Yes(&'a [u8]),
    NotYet,
    No,
}

/// The body of the greeting, once all of it is there.
fn whole(hello: &[u8]) -> Whole<'_> {
    match hello {
        [1, a, b, c, body @ ..] => {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            body.get(..length).map_or(Whole::NotYet, Whole::Yes)
        }
        [] | [1, ..] => Whole::NotYet,
        _ => Whole::No,
    }
}

fn name_in(greeting: &[u8]) -> Option<String> {
    let mut at = Reader(greeting);
    at.take(34)?; // version and random
    at.short()?; // session
    at.long()?; // cipher suites
    at.short()?; // compression methods
    let mut extensions = Reader(at.long()?);
    loop {
        let kind = extensions.take(2)?;
        let body = extensions.long()?;
        if kind == [0, 0] {
            let mut names = Reader(Reader(body).long()?);
            return (names.take(1)? == [0])
                .then(|| names.long())
                .flatten()
                .and_then(host_name);
        }
    }
}

/// Bytes that are taken from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// What follows a length of one byte.
    fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.take(1)?[0];
        self.take(usize::from(length))
    }

    /// What follows a length of two bytes.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.take(2)?;
        self.take(usize::from(u16::from_be_bytes([length[0], length[1]])))
    }
}
