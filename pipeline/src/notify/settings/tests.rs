//! Sections as people write them, right and wrong.

use super::*;

fn section(text: &str) -> anyhow::Result<Settings> {
    let section: Section = toml::from_str(text)?;
    section.check()
}

const MAIL: &str = "kind = \"mail\"\nserver = \"mail.example:587\"\nfrom = \"a@b.example\"\n";

#[test]
fn everybody_has_an_outlet_of_his_own() {
    let hook = section("kind = \"webhook\"\nurl = \"https://plant.example/in\"").unwrap();
    let names = |settings: &Settings| -> Vec<String> {
        let ways = settings.ways().unwrap();
        ways.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(&hook), ["webhook"]);
    assert_eq!(hook.min_action, Action::Restrict);
    let more = "name = \"shift\"\nmin_action = \"quarantine\"\n\
                to = [\"Süd <s@b.example>\", \"n@b.example\"]";
    let mail = section(&format!("{MAIL}{more}")).unwrap();
    assert_eq!(names(&mail), ["shift/s@b.example", "shift/n@b.example"]);
    assert_eq!(mail.min_action, Action::Quarantine);
}

/// Each text is refused with these words.
fn refused(cases: &[(&str, &str)]) {
    for (text, words) in cases {
        let error = format!("{:#}", section(text).unwrap_err());
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn a_webhook_that_cannot_be_is_refused_with_its_key() {
    const HOOK: &str = "kind = \"webhook\"\nurl = \"https://x/\"\n";
    let foreign = format!("{HOOK}server = \"x:1\"");
    let secret = format!("{HOOK}secret_env = \"ANDON_NO_SUCH\"");
    refused(&[
        ("kind = \"pigeon\"", "kind: `pigeon`"),
        ("", "kind: ``"),
        ("kind = \"webhook\"", "url: it is missing"),
        (
            "kind = \"webhook\"\nurl = \"ftp://x/\"",
            "url: its address begins",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://me:it@x/\"",
            "url: its address names",
        ),
        (&foreign, "server: it means nothing"),
        (&secret, "ANDON_NO_SUCH"),
    ]);
}

#[test]
fn a_mail_that_cannot_be_is_refused_with_its_key() {
    for (more, words) in [
        ("url = \"https://x/\"", "url: it means nothing"),
        ("user = \"me\"", "user: it wants"),
        ("password_env = \"PATH\"", "user: it is missing"),
        ("password_file = \"/no/such\"", "password_file: cannot read"),
        ("security = \"some\"", "security: `some`"),
        ("security = \"none\"", "security: `none` is for a server"),
        ("min_action = \"watch\"", "min_action: nobody is notified"),
        ("min_action = \"explode\"", "min_action: `explode`"),
        ("name = \"../x\"", "name: `../x`"),
        ("spool = \"much\"", "spool"),
        ("subject = \"x\"", "unknown field `subject`"),
    ] {
        refused(&[(&format!("{MAIL}to = [\"c@d.example\"]\n{more}"), words)]);
    }
    for (to, words) in [
        ("", "to: it is missing"),
        ("to = []", "to: nobody"),
        (
            "to = [\"c@d.example\", \"C <C@d.example>\"]",
            "to: `C@d.example` is there twice",
        ),
        (
            "to = [\"c@d.example\\r\\nBcc: x@y.z\"]",
            "to: `c@d.example\\u{d}",
        ),
    ] {
        refused(&[(&format!("{MAIL}{to}"), words)]);
    }
    refused(&[
        (
            "kind = \"mail\"\nserver = \"mail.example\"\nfrom = \"a@b.example\"",
            "server: `mail.example` is not `host:port`",
        ),
        (
            "kind = \"mail\"\nserver = \"mail.example:25\"\nfrom = \"nobody\"",
            "from: `nobody`",
        ),
        (
            "kind = \"mail\"\nserver = \"[::1]:25\"\nsecurity = \"none\"\nca = \"x\"",
            "ca: it means nothing",
        ),
    ]);
}

#[test]
fn only_a_server_on_this_host_is_spoken_to_in_clear_text() {
    for (server, may) in [
        ("127.0.0.1:25", true),
        ("localhost:25", true),
        ("[::1]:25", true),
        ("127.evil.example:25", false),
        ("localhost@evil.example:25", false),
        ("10.0.0.1:25", false),
    ] {
        let text = format!(
            "kind = \"mail\"\nserver = \"{server}\"\nfrom = \"a@b.example\"\nto = [\"c@d.example\"]\n\
             security = \"none\""
        );
        assert_eq!(section(&text).is_ok(), may, "{server}");
    }
}

#[test]
fn a_password_is_read_from_its_file_and_told_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "whisper\n").unwrap();
    let text = format!(
        "{MAIL}to = [\"c@d.example\"]\nuser = \"me\"\npassword_file = \"{}\"",
        path.display()
    );
    let settings = section(&text).unwrap();
    let Target::Mail(options) = &settings.to else {
        panic!("it is a mail");
    };
    assert_eq!(
        options.server.credentials,
        Some(("me".to_owned(), "whisper".to_owned()))
    );
    assert!(!format!("{settings:?}").contains("whisper"));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let of = |kind: &str| Section {
        kind: kind.to_owned(),
        url: Some("https://x/".to_owned()),
        ..Section::default()
    };
    let error = crate::notify::check(&["webhook", "pigeon", "webhook"].map(of));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("notify 2 of 3: kind: `pigeon`"), "{error}");
    assert!(
        error.contains("notify 3 of 3: another is called `webhook`"),
        "{error}"
    );
}
