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

#[test]
fn what_cannot_be_is_refused_with_its_key() {
    let to = "to = [\"c@d.example\"]";
    for (text, words) in [
        ("kind = \"pigeon\"".to_owned(), "kind: `pigeon`"),
        (String::new(), "kind: ``"),
        ("kind = \"webhook\"".to_owned(), "url: it is missing"),
        (
            "kind = \"webhook\"\nurl = \"ftp://x/\"".to_owned(),
            "url: its address begins",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://me:it@x/\"".to_owned(),
            "url: its address names",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://x/\"\nserver = \"x:1\"".to_owned(),
            "server: it means nothing",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://x/\"\nsecret_env = \"ANDON_NO_SUCH\"".to_owned(),
            "ANDON_NO_SUCH",
        ),
        (MAIL.to_owned(), "to: it is missing"),
        (format!("{MAIL}to = []"), "to: nobody"),
        (
            format!("{MAIL}to = [\"c@d.example\", \"C <C@d.example>\"]"),
            "to: `C@d.example` is there twice",
        ),
        (
            format!("{MAIL}to = [\"c@d.example\\r\\nBcc: x@y.z\"]"),
            "to: `c@d.example\\u{d}",
        ),
        (
            format!("{MAIL}{to}\nurl = \"https://x/\""),
            "url: it means nothing",
        ),
        (format!("{MAIL}{to}\nuser = \"me\""), "user: it wants"),
        (
            format!("{MAIL}{to}\npassword_env = \"PATH\""),
            "user: it is missing",
        ),
        (
            format!("{MAIL}{to}\npassword_file = \"/no/such\""),
            "password_file: cannot read",
        ),
        (
            format!("{MAIL}{to}\nsecurity = \"some\""),
            "security: `some`",
        ),
        (
            format!("{MAIL}{to}\nsecurity = \"none\""),
            "security: `none` is for a server on this host",
        ),
        (
            format!("{MAIL}{to}\nmin_action = \"watch\""),
            "min_action: nobody is notified of `watch`",
        ),
        (
            format!("{MAIL}{to}\nmin_action = \"explode\""),
            "min_action: `explode`",
        ),
        (format!("{MAIL}{to}\nname = \"../x\""), "name: `../x`"),
        (format!("{MAIL}{to}\nspool = \"much\""), "spool"),
        (
            format!("{MAIL}{to}\nsubject = \"x\""),
            "unknown field `subject`",
        ),
        (
            "kind = \"mail\"\nserver = \"mail.example\"\nfrom = \"a@b.example\"".to_owned(),
            "server: `mail.example` is not `host:port`",
        ),
        (
            "kind = \"mail\"\nserver = \"mail.example:25\"\nfrom = \"nobody\"".to_owned(),
            "from: `nobody`",
        ),
        (
            format!(
                "kind = \"mail\"\nserver = \"[::1]:25\"\nfrom = \"a@b.c\"\nsecurity = \"none\"\nca = \"x\"\n{to}"
            ),
            "ca: it means nothing",
        ),
    ] {
        let error = format!("{:#}", section(&text).unwrap_err());
        assert!(error.contains(words), "{text}: {error}");
    }
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
