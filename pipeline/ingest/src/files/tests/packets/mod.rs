//! Packets, from captures that are built here: nothing of them is copied from anywhere.

mod commands;
mod containers;
mod flows;
mod frames;
mod hostile;
mod names;

use etherparse::PacketBuilder;

use super::*;
use crate::files::{FileReport, Format};

/// The moment the captures begin, seconds since 1970.
const START: u32 = 1_700_000_000;

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [10, 0, 0, 9];

/// A packet: microseconds after the start, the frame, how long it was on the wire.
#[derive(Clone)]
struct Frame {
    at: i64,
    bytes: Vec<u8>,
    length: usize,
}

fn frame(at: i64, bytes: Vec<u8>) -> Frame {
    let length = bytes.len();
    Frame { at, bytes, length }
}

/// A pcap of Ethernet frames.
fn pcap(frames: &[Frame]) -> Vec<u8> {
    pcap_of(1, frames)
}

/// A pcap of frames of this link type.
fn pcap_of(link: u32, frames: &[Frame]) -> Vec<u8> {
    let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
    file.extend(link.to_le_bytes());
    for frame in frames {
        let at = i64::from(START) * 1_000_000 + frame.at;
        let word = |number: i64| u32::try_from(number).unwrap().to_le_bytes();
        file.extend(word(at / 1_000_000));
        file.extend(word(at % 1_000_000));
        file.extend(u32::try_from(frame.bytes.len()).unwrap().to_le_bytes());
        file.extend(u32::try_from(frame.length).unwrap().to_le_bytes());
        file.extend(&frame.bytes);
    }
    file
}

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// From the client to the server.
    Asks,
    /// From the server to the client.
    Answers,
}

use Way::{Answers, Asks};

fn ends(way: Way) -> [[u8; 4]; 2] {
    match way {
        Asks => [CLIENT, SERVER],
        Answers => [SERVER, CLIENT],
    }
}

/// A segment of TCP between the client's port and 502: flags as letters, its number, its payload.
fn tcp(way: Way, flags: &str, sequence: u32, payload: &[u8]) -> Vec<u8> {
    tcp_to(502, way, flags, sequence, payload)
}

fn tcp_to(port: u16, way: Way, flags: &str, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let [source, destination] = ends(way);
    let ports = match way {
        Asks => [40_000, port],
        Answers => [port, 40_000],
    };
    let mut builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(source, destination, 64)
        .tcp(ports[0], ports[1], sequence, 1_000);
    for flag in flags.chars() {
        builder = match flag {
            'S' => builder.syn(),
            'A' => builder.ack(1),
            'F' => builder.fin(),
            'R' => builder.rst(),
            other => panic!("{other} is no flag"),
        };
    }
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).unwrap();
    bytes
}

fn udp(way: Way, client: u16, server: u16, payload: &[u8]) -> Vec<u8> {
    let [source, destination] = ends(way);
    let (from, to) = match way {
        Asks => (client, server),
        Answers => (server, client),
    };
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(source, destination, 64)
        .udp(from, to)
        .write(&mut bytes, payload)
        .unwrap();
    bytes
}

/// What a file gave, with its report.
fn report(content: impl AsRef<[u8]>) -> (Read, FileReport) {
    let folder = Folder::new();
    let path = folder.put("capture", content);
    let mut captures = captures(&[path]);
    let read = drain(&mut captures);
    (read, captures.files()[0].clone())
}

/// Both sides' bytes.
fn bytes(flow: &FlowRecord) -> [u64; 2] {
    [
        flow.originator_bytes.unwrap(),
        flow.responder_bytes.unwrap(),
    ]
}

/// A whole connection of Modbus that begins at `at`: 12 bytes there, 11 back.
fn modbus(at: i64) -> Vec<Frame> {
    let question = b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01";
    let answer = b"\0\x01\0\0\0\x05\x01\x03\x02\0\x2a";
    [
        tcp(Asks, "S", 100, b""),
        tcp(Answers, "SA", 900, b""),
        tcp(Asks, "A", 101, b""),
        tcp(Asks, "A", 101, question),
        tcp(Answers, "A", 901, answer),
        tcp(Asks, "FA", 113, b""),
        tcp(Answers, "FA", 912, b""),
        tcp(Asks, "A", 114, b""),
    ]
    .into_iter()
    .zip(0..)
    .map(|(bytes, step)| frame(at + step * 1_000, bytes))
    .collect()
}
