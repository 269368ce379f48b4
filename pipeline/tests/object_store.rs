//! Captures in an object store: the verdicts are those of the same files, and what goes wrong is
//! told. Against a server that checks signatures, pages its lists and gives parts of objects.
#![cfg(feature = "object-store")]
#![expect(clippy::unwrap_used, reason = "what cannot be done fails the test")]

mod plant;
mod s3_server;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use s3_server::{Store, alone, nobody};

const INVENTORY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../profiles/inventory/precision-parts.yaml"
);

/// Stands for the receive time of what has none.
const AS_OF: &str = "2026-01-01T00:00:00Z";

/// What is asked for first of an object, and in one part.
const FIRST_BYTES: usize = 128 << 10;

/// A folder with two buckets: `plant` with captures, and `closed`, which nobody may read.
fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    let plant = tree.path().join("plant");
    for folder in [&plant, &plant.join("days/late"), &plant.join("days/.aside")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::create_dir(tree.path().join("closed")).unwrap();
    fs::write(tree.path().join("closed/a.ndjson"), "{}").unwrap();

    let capture = plant::simulate(&plant, "2", "40000", &["plc-night-exfil"]);
    let text = fs::read_to_string(&capture).unwrap();
    fs::write(plant.join("conn.log.gz"), gzip(&zeek(16_000))).unwrap();
    fs::write(plant.join("span.pcap"), pcap(12_000)).unwrap();
    for (from, to) in [
        ("capture.ndjson", "capture.parquet"),
        ("conn.log.gz", "flows.ndjson"),
    ] {
        let [from, to] = [from, to].map(|name| plant.join(name).to_str().unwrap().to_owned());
        let from = ["capture", "convert", &from, "--as-of", AS_OF];
        plant::run(&[&from[..], &["--out", &to]].concat());
    }

    // Rotated logs whose names say nothing of their order, more than a list has in one page.
    let lines: Vec<&str> = text.lines().take(2_400).collect();
    for (at, part) in lines.chunks(100).enumerate() {
        let folder = if at % 2 == 0 { "days" } else { "days/late" };
        let name = format!("{folder}/{:02} & more.ndjson", at * 7 % 24);
        fs::write(plant.join(name), part.join("\n") + "\n").unwrap();
    }
    fs::write(plant.join("days/.aside/hidden.ndjson"), "not for us").unwrap();
    fs::write(plant.join("days/empty.ndjson"), "").unwrap();
    fs::write(plant.join("days/currents.csv"), currents()).unwrap();
    fs::write(plant.join("days/currents.map.yaml"), MAPPING).unwrap();
    tree
}

fn gzip(text: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

/// Connections of controllers, some of them to where none may go.
fn zeek(rows: u32) -> String {
    let mut log = "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\t\
                   id.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\t\
                   conn_state\n"
        .to_owned();
    for row in 0..rows {
        // Numbers without a pattern, so that packing leaves something to be read in parts.
        let noise = row.wrapping_mul(2_654_435_761);
        let peer = match row % 1_000 {
            7 => "203.0.113.9",
            _ => "10.6.0.10",
        };
        writeln!(
            log,
            "{}.{:06}\tC{noise:x}\t10.1.20.{}\t{}\t{peer}\t502\ttcp\tmodbus\t0.5\t{}\t{}\tSF",
            1_765_675_200 + row / 4,
            noise % 1_000_000,
            10 + row % 40,
            1_024 + noise % 60_000,
            noise % 900,
            noise % 1_100,
        )
        .unwrap();
    }
    log
}

/// Datagrams, one in a hundred to another host.
fn pcap(packets: u32) -> Vec<u8> {
    const DATA: u16 = 900;
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for packet in 0..packets {
        let [.., port, _] = packet.to_be_bytes();
        let mut frame = vec![2; 12];
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend((28 + DATA).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 20, 11, 203, 0, 113]);
        frame.push(u8::from(packet % 100 == 0));
        frame.extend([0xc0, port, 0x13, 0x88]);
        frame.extend((8 + DATA).to_be_bytes());
        frame.extend([0, 0]);
        frame.resize(frame.len() + usize::from(DATA), 7);
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        file.extend((1_765_675_200 + packet / 2).to_le_bytes());
        file.extend((packet % 2 * 400_000).to_le_bytes());
        file.extend(length);
        file.extend(length);
        file.extend(frame);
    }
    file
}

const MAPPING: &str = "\
kind: reading
zone: Europe/Berlin
fields:
  time: { column: when, format: \"%d.%m.%Y %H:%M:%S\" }
  device: machine
  current_a: { column: milliamps, unit: mA }
";

fn currents() -> String {
    let row = |second: u32| {
        let milliamps = if second < 20 { 700 } else { 60_000 };
        format!("14.12.2025 02:40:{second:02},cnc-controller-01-0001,{milliamps}\n")
    };
    format!(
        "when,machine,milliamps\n{}",
        (0..60).map(row).collect::<String>()
    )
}

/// What a backtest of a capture wrote, with its name taken out.
struct Result {
    verdicts: String,
    rejects: String,
}

fn backtest(mut andon: Command, capture: &str, named: &str) -> Result {
    let out = tempfile::tempdir().unwrap();
    let output = andon
        .args(["backtest", capture, "--inventory", INVENTORY])
        .args(["--as-of", AS_OF, "--out"])
        .arg(out.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{capture}: {}", said(&output));
    let [verdicts, rejects] = ["verdicts.jsonl", "rejects.jsonl"].map(|name| {
        let text = fs::read_to_string(out.path().join(name)).unwrap_or_default();
        text.replace(named, "HERE")
    });
    Result { verdicts, rejects }
}

fn local(path: &Path) -> Result {
    let path = path.to_str().unwrap();
    backtest(alone(), path, path)
}

/// Insists that two texts are the same, and names the first line that is not.
fn assert_same(name: &str, one: &str, other: &str) {
    let differs = one
        .lines()
        .zip(other.lines())
        .find(|(one, other)| one != other);
    assert_eq!(differs, None, "{name}");
    assert!(one == other, "{name}: one text is longer");
}

fn said(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    both.concat()
}

/// Runs it, insists on a status of 2, and returns what it complained about.
fn complaint(mut andon: Command, capture: &str) -> String {
    let output = andon.args(["backtest", capture]).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{capture}: {said}");
    assert!(
        said.contains(capture) && !said.contains("panicked"),
        "{said}"
    );
    said
}

#[test]
fn verdicts_from_objects_are_those_from_files() {
    let tree = tree();
    let plant = tree.path().join("plant");
    let Some(store) = Store::start(tree.path()) else {
        return;
    };
    for name in [
        "flows.ndjson",
        "capture.parquet",
        "conn.log.gz",
        "span.pcap",
        "days",
    ] {
        let there = format!("s3://plant/{name}");
        let from_files = local(&plant.join(name));
        let from_objects = backtest(store.andon(), &there, &there);
        assert!(
            from_files.verdicts.lines().count() > 0,
            "{name} shows nothing"
        );
        assert_same(name, &from_objects.verdicts, &from_files.verdicts);
        assert_same(name, &from_objects.rejects, &from_files.rejects);
    }
    // A folder may be named as one, and a bucket is one.
    let days = backtest(store.andon(), "s3://plant/days/", "s3://plant/days");
    assert_same(
        "days/",
        &days.verdicts,
        &local(&plant.join("days")).verdicts,
    );
    assert!(days.verdicts.contains("\"detector\":\"current_draw\""));
    let all = backtest(store.andon(), "s3://plant", "s3://plant");
    assert_same("all", &all.verdicts, &local(&plant).verdicts);
}

#[test]
fn whatever_reads_captures_reads_objects() {
    let tree = tree();
    let plant = tree.path().join("plant");
    let Some(store) = Store::start(tree.path()) else {
        return;
    };
    let run = |mut andon: Command, args: &[&str]| {
        let output = andon.args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let here = plant.join("span.pcap");
    let [near, far]: [PathBuf; 2] =
        ["near.ndjson", "far.ndjson"].map(|name| tree.path().join(name));
    let convert = |andon: Command, capture: &str, out: &Path| {
        let out = out.to_str().unwrap();
        run(
            andon,
            &[
                "capture", "convert", capture, "--as-of", AS_OF, "--out", out,
            ],
        );
        fs::read_to_string(out).unwrap().replace(capture, "HERE")
    };
    let converted = convert(store.andon(), "s3://plant/span.pcap", &far);
    let local = convert(alone(), here.to_str().unwrap(), &near);
    assert_same("convert", &converted, &local);
    assert!(converted.lines().count() > 50);

    let learn = ["learn", "s3://plant/capture.parquet", "-o", "json"];
    let here = plant.join("capture.parquet");
    let learned = run(store.andon(), &learn);
    let local = run(alone(), &["learn", here.to_str().unwrap(), "-o", "json"]);
    assert!(learned.len() > 1_000);
    assert_same("learn", &learned, &local);

    #[cfg(feature = "query")]
    {
        let ask = |andon: Command, capture: &str| {
            let sql = "SELECT kind, count(*) AS n FROM captures GROUP BY kind ORDER BY kind";
            run(andon, &["query", sql, "--csv", "--capture", capture])
        };
        let answer = ask(store.andon(), "s3://plant/capture.parquet");
        assert_eq!(answer, ask(alone(), here.to_str().unwrap()));
        assert!(
            answer.starts_with("kind,n\n") && answer.lines().count() > 2,
            "{answer}"
        );
    }
}

#[test]
fn what_is_not_there_or_not_allowed_is_said() {
    let tree = tree();
    let Some(store) = Store::start(tree.path()) else {
        return;
    };
    let told = |capture: &str| complaint(store.andon(), capture);
    let endpoint = &store.endpoint;
    for (capture, what) in [
        ("s3://nowhere/a.ndjson", "there is no bucket `nowhere`"),
        ("s3://plant/nothing", "there is no such object"),
        ("s3://plant/nothing/", "there is no such object"),
        ("s3://closed/a.ndjson", "access denied (AccessDenied)"),
        ("s3://closed/", "access denied (AccessDenied)"),
    ] {
        let told = told(capture);
        assert!(told.contains(what) && told.contains(endpoint), "{told}");
    }
    assert!(told("s3:///a").contains("s3://BUCKET/KEY"));
    assert!(told("s3://plant/a//b").contains("no key"));

    let with = |name: &str, value: &str| {
        let mut andon = store.andon();
        andon.env(name, value);
        complaint(andon, "s3://plant/days/")
    };
    let secret = with("AWS_SECRET_ACCESS_KEY", "a-guess");
    assert!(
        secret.contains("access denied (SignatureDoesNotMatch)"),
        "{secret}"
    );
    assert!(
        !secret.contains("a-guess") && !secret.contains(&store.key),
        "{secret}"
    );
    let key = with("AWS_ACCESS_KEY_ID", "a-stranger");
    assert!(key.contains("access denied (InvalidAccessKeyId)"), "{key}");
    assert!(
        !key.contains(&store.secret) && !key.contains("a-stranger"),
        "{key}"
    );
    let far = with("AWS_ENDPOINT_URL", "http://store.example");
    assert!(far.contains("AWS_ALLOW_HTTP=true"), "{far}");
    let nameless = with("AWS_ACCESS_KEY_ID", "");
    assert!(
        nameless.contains("AWS_ACCESS_KEY_ID is not set"),
        "{nameless}"
    );

    let nobody = nobody();
    let unreachable = with("AWS_ENDPOINT_URL", &nobody);
    let words = format!("object store `{nobody}`: it cannot be reached, tried 5 times");
    assert!(unreachable.contains(&words), "{unreachable}");
    assert!(unreachable.contains("Connection refused"), "{unreachable}");
}

#[test]
fn an_object_that_is_lost_on_the_way_costs_its_rest_and_is_one_reject() {
    let tree = tree();
    let plant = tree.path().join("plant");
    let Some(store) = Store::start(tree.path()) else {
        return;
    };
    // The first part is read twice, to tell what it is and to read on from there.
    let breaks_at = 2 * FIRST_BYTES + (50 << 10);
    for name in ["flows.ndjson", "conn.log.gz", "span.pcap"] {
        let whole = fs::read(plant.join(name)).unwrap();
        assert!(whole.len() > breaks_at, "{name} is too short");
        let cut = tree.path().join(name);
        fs::write(&cut, &whole[..FIRST_BYTES]).unwrap();
        let there = format!("s3://plant/{name}");
        let lost = backtest(store.andon_until(breaks_at), &there, &there);
        let of_cut = local(&cut);
        assert!(of_cut.verdicts.lines().count() > 0, "{name} shows nothing");
        assert_same(name, &lost.verdicts, &of_cut.verdicts);
        let is_of_loss = |line: &&str| line.contains("cannot be reached");
        let losses: Vec<&str> = lost.rejects.lines().filter(is_of_loss).collect();
        assert_eq!(losses.len(), 1, "{name}: {}", lost.rejects);
        assert!(losses[0].contains("truncated"), "{}", losses[0]);
        assert_eq!(lost.rejects.lines().count(), of_cut.rejects.lines().count());
    }
    // Parquet is looked at whole, if it is short, and then read from its end.
    let name = "s3://plant/capture.parquet";
    let length = fs::metadata(plant.join("capture.parquet")).unwrap().len();
    let length = usize::try_from(length).unwrap();
    let told = complaint(store.andon_until(FIRST_BYTES + length + (64 << 10)), name);
    assert!(told.contains("cannot be reached"), "{told}");
}
