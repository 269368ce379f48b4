//! Servers that the test plays, most of them bad ones.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use super::*;
use crate::notify::message::tests::notice;
use crate::notify::{Letterhead, Mail, MailOptions};
use crate::outlet::{Event, Outlet, SPOOL_BYTES, Trouble, Way as _};
use crate::tls::TlsOptions;

mod handshake;

/// Long enough that only a hang reaches it.
const LONG: Duration = Duration::from_secs(60);

/// A server that answers each line by the next of its own, and in the end tells what it heard.
fn played(answers: &'static [&'static str]) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        answer(&mut socket, answers)
    });
    (address, thread)
}

fn answer(socket: &mut TcpStream, answers: &[&str]) -> String {
    let mut heard = String::new();
    for answer in answers {
        // Whoever has heard enough hangs up.
        if socket.write_all(answer.as_bytes()).is_err() {
            break;
        }
        let end = if answer.starts_with("354") {
            "\r\n.\r\n"
        } else {
            "\r\n"
        };
        let mut said = String::new();
        let mut byte = [0];
        while !said.ends_with(end) && socket.read(&mut byte).is_ok_and(|read| read == 1) {
            said.push(char::from(byte[0]));
        }
        heard.push_str(&said);
    }
    heard
}

/// One that says nothing after these answers: tells when it has come so far, and what else it heard
/// until the connection ended.
fn silent_after(answers: &'static [&'static str]) -> (String, Receiver<()>, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (falls, fell) = channel();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        answer(&mut socket, answers);
        falls.send(()).unwrap();
        let mut heard = Vec::new();
        // Whoever leaves in the middle of TLS may do so with what it did not read.
        drop(socket.read_to_end(&mut heard));
        String::from_utf8_lossy(&heard).into_owned()
    });
    (address, fell, thread)
}

fn options(address: String, security: Security, credentials: Option<(&str, &str)>) -> MailOptions {
    let credentials = credentials.map(|(user, word)| (user.to_owned(), word.to_owned()));
    MailOptions {
        server: Server {
            address,
            security,
            credentials,
        },
        tls: TlsOptions::default(),
        letterhead: Letterhead {
            from: "andon@plant.example".parse().unwrap(),
            to: vec!["shift@plant.example".parse().unwrap()],
        },
    }
}

fn mail(options: MailOptions) -> Mail {
    Mail::new(options, "shift@plant.example".parse().unwrap()).unwrap()
}

fn sent(
    answers: &'static [&'static str],
    security: Security,
    credentials: Option<(&str, &str)>,
) -> (Result<(), Trouble>, String) {
    let (address, thread) = played(answers);
    let options = options(address, security, credentials);
    assert!(!format!("{options:?}").contains("whisper"));
    let mut mail = mail(options);
    let item = notice("\n.\n.x");
    let id = item.id();
    let done = mail.send(&Event { id, item: &item });
    drop(mail);
    (done, thread.join().unwrap())
}

const GREETING: &str = "220 mail\r\n";
const CAN_LITTLE: &str = "250 mail\r\n";
const GOOD: &str = "250 2.0.0 good\r\n";
const GO_ON: &str = "354 go on\r\n";

#[test]
fn a_mail_is_handed_over_and_no_line_of_it_ends_it() {
    let answers = &[GREETING, CAN_LITTLE, GOOD, GOOD, GO_ON, GOOD, "221 bye\r\n"];
    let (done, heard) = sent(answers, Security::None, None);
    assert_eq!(done, Ok(()));
    for line in [
        "EHLO [127.0.0.1]",
        "MAIL FROM:<andon@plant.example>",
        "RCPT TO:<shift@plant.example>",
        "DATA",
        "QUIT",
    ] {
        assert!(heard.contains(&format!("{line}\r\n")), "{heard}");
    }
    assert_eq!(heard.matches("\r\n.\r\n").count(), 1, "{heard}");
}

#[test]
fn a_server_that_asks_how_it_likes_is_told_who_we_are() {
    let plain = "250-mail\r\n250-AUTH LOGIN PLAIN\r\n250 SIZE 1\r\n";
    let rest = [GOOD, GOOD, GO_ON, GOOD, "221 bye\r\n"];
    let answers = [&[GREETING, plain, "235 yes\r\n"][..], &rest]
        .concat()
        .leak();
    let (done, heard) = sent(answers, Security::None, Some(("me", "whisper")));
    assert_eq!(done, Ok(()));
    // \0me\0whisper
    assert!(heard.contains("AUTH PLAIN AG1lAHdoaXNwZXI=\r\n"), "{heard}");
    let login = "250-mail\r\n250 AUTH LOGIN\r\n";
    let asked = [
        GREETING,
        login,
        "334 VXNlcm5hbWU6\r\n",
        "334 UGFzc3dvcmQ6\r\n",
        "235 yes\r\n",
    ];
    let answers = [&asked[..], &rest].concat().leak();
    let (done, heard) = sent(answers, Security::None, Some(("me", "whisper")));
    assert_eq!(done, Ok(()));
    assert!(
        heard.contains("AUTH LOGIN\r\nbWU=\r\nd2hpc3Blcg==\r\n"),
        "{heard}"
    );
}

#[test]
fn what_a_server_repeats_of_a_password_is_not_told() {
    for (offered, repeated) in [
        ("PLAIN", "AG1lAHdoaXNwZXI="),
        ("PLAIN", "whisper"),
        ("LOGIN", "d2hpc3Blcg=="),
    ] {
        let hello: &str = format!("250-mail\r\n250 AUTH {offered}\r\n").leak();
        let no: &str = format!("535 no: {repeated}\r\n").leak();
        let asked = ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"];
        let asked = if offered == "LOGIN" { &asked[..] } else { &[] };
        let answers = [&[GREETING, hello][..], asked, &[no]].concat().leak();
        let (done, _) = sent(answers, Security::None, Some(("me", "whisper")));
        let told = format!("{done:?}");
        assert!(told.contains("535 no: …"), "{told}");
        assert!(!told.contains(repeated), "{told}");
    }
}

fn is_given_up(answers: &'static [&'static str]) -> bool {
    let (done, _) = sent(answers, Security::None, None);
    matches!(done.unwrap_err(), Trouble::Never(_))
}

#[test]
fn only_who_lives_nowhere_and_what_is_not_wanted_are_given_up() {
    assert!(is_given_up(&[
        GREETING,
        CAN_LITTLE,
        GOOD,
        "550 5.1.1 nobody\r\n",
        "221 bye\r\n"
    ]));
    assert!(is_given_up(&[
        GREETING,
        CAN_LITTLE,
        GOOD,
        GOOD,
        GO_ON,
        "554 5.6.0 no\r\n",
        "221 bye\r\n"
    ]));
    for answers in [
        &["554 not today\r\n"][..],
        &[GREETING, "502 no\r\n"],
        &[GREETING, CAN_LITTLE, "550 5.7.1 not you\r\n", "221 bye\r\n"],
        &[
            GREETING,
            CAN_LITTLE,
            GOOD,
            "554 5.7.1 relay denied\r\n",
            "221 bye\r\n",
        ],
        &[
            GREETING,
            CAN_LITTLE,
            GOOD,
            "530 5.7.0 who are you\r\n",
            "221 bye\r\n",
        ],
        &[
            GREETING,
            CAN_LITTLE,
            GOOD,
            "450 4.2.0 later\r\n",
            "221 bye\r\n",
        ],
        &[
            GREETING,
            CAN_LITTLE,
            GOOD,
            GOOD,
            "451 busy\r\n",
            "221 bye\r\n",
        ],
        &[
            GREETING,
            CAN_LITTLE,
            GOOD,
            GOOD,
            GO_ON,
            "452 full\r\n",
            "221 bye\r\n",
        ],
        &[GREETING, CAN_LITTLE, GOOD, GOOD, GO_ON],
        &["HTTP/1.1 400 Bad Request\r\n"],
        &["22é no\r\n"],
        &["2\r\n"],
        &["\r\n"],
    ] {
        assert!(!is_given_up(answers), "{answers:?}");
    }
}

#[test]
fn a_full_mailbox_and_a_refusal_of_policy_may_pass_wherever_they_come() {
    assert!(is_given_up(&[
        GREETING,
        CAN_LITTLE,
        GOOD,
        "552 5.3.4 too large\r\n",
        "221 bye\r\n"
    ]));
    for refused in [
        "552 no room\r\n",
        "552 5.2.2 mailbox full\r\n",
        "554 5.2.2 mailbox full\r\n",
        "550 5.7.1 looks like spam\r\n",
        "554-5.7.1 looks\r\n554 5.7.1 like spam\r\n",
    ] {
        let to = [GREETING, CAN_LITTLE, GOOD, refused, "221 bye\r\n"];
        assert!(!is_given_up(to.to_vec().leak()), "{refused} to RCPT");
        let mail = [
            GREETING,
            CAN_LITTLE,
            GOOD,
            GOOD,
            GO_ON,
            refused,
            "221 bye\r\n",
        ];
        assert!(!is_given_up(mail.to_vec().leak()), "{refused} to a mail");
    }
}

#[test]
fn nothing_of_worth_is_said_before_tls_and_nothing_said_before_is_believed() {
    let credentials = Some(("me", "whisper"));
    let (done, heard) = sent(&[GREETING, CAN_LITTLE], Security::StartTls, credentials);
    let told = format!("{done:?}");
    assert!(told.contains("no STARTTLS"), "{told}");
    assert!(
        !heard.contains("MAIL") && !heard.contains("AUTH"),
        "{heard}"
    );
    let answers = &[
        GREETING,
        "250-mail\r\n250 STARTTLS\r\n",
        "220 go on\r\n250 mail\r\n",
    ];
    let (done, heard) = sent(answers, Security::StartTls, credentials);
    let told = format!("{done:?}");
    assert!(told.contains("in clear text"), "{told}");
    assert!(
        !heard.contains("MAIL") && !heard.contains("AUTH"),
        "{heard}"
    );
}

#[test]
fn a_server_that_does_not_stop_is_left() {
    let line = "2".repeat(100_000).leak();
    let lines = "220-more\r\n".repeat(1_000).leak();
    for answers in [&*vec![&*line].leak(), &*vec![&*lines].leak()] {
        let (done, _) = sent(answers, Security::None, None);
        let told = format!("{done:?}");
        assert!(told.contains("does not end"), "{told}");
    }
}

type Step = fn(&mut Patience) -> &mut Duration;

#[test]
fn a_server_has_as_long_for_a_step_as_it_may_expect() {
    let rfc = Patience::default();
    let minutes = |time: Duration| time.as_secs() / 60;
    assert_eq!(minutes(rfc.greeting), 5);
    assert_eq!(minutes(rfc.command), 5);
    assert_eq!(minutes(rfc.data), 2);
    assert_eq!(minutes(rfc.block), 3);
    assert_eq!(minutes(rfc.end), 10);
    // Silent at one step for which there is next to no time; for the others there is plenty.
    let answers: &[&str] = &[GREETING, CAN_LITTLE, GOOD, GOOD, GO_ON];
    let steps: [(usize, Step); 4] = [
        (0, |patience| &mut patience.greeting),
        (1, |patience| &mut patience.command),
        (4, |patience| &mut patience.data),
        (5, |patience| &mut patience.end),
    ];
    for (at, step) in steps {
        let (address, _fell, thread) = silent_after(&answers[..at]);
        let mut mail = mail(options(address, Security::None, None));
        for other in steps {
            *other.1(&mut mail.patience) = LONG;
        }
        *step(&mut mail.patience) = Duration::from_millis(1);
        let item = notice("");
        let id = item.id();
        let done = mail.send(&Event { id, item: &item });
        let told = format!("{done:?}");
        assert!(told.contains("within 1ms"), "{at}: {told}");
        assert_eq!(thread.join().unwrap(), "", "no word to one that is silent");
    }
}

#[test]
fn the_end_of_a_run_does_not_wait_for_a_server_that_looks_at_a_mail_for_long() {
    let (address, fell, thread) = silent_after(&[GREETING, CAN_LITTLE, GOOD, GOOD, GO_ON]);
    let folder = tempfile::tempdir().unwrap();
    let way = Box::new(mail(options(address, Security::None, None)));
    let mut outlet = Outlet::start(folder.path(), "shift", SPOOL_BYTES, way).unwrap();
    outlet.take(&notice("")).unwrap();
    fell.recv_timeout(LONG).unwrap();
    assert!(outlet.status().is_well, "it is waited for");
    outlet.close(Duration::ZERO);
    assert_eq!(
        thread.join().unwrap(),
        "",
        "the connection ends without a word"
    );
    let status = outlet.status();
    assert_eq!((status.arrived, status.waiting), (0, 1));
    let why = status.trouble.unwrap();
    assert!(why.contains("no time left"), "{why}");
}
