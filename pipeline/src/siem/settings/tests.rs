//! Sections as people write them, right and wrong.

use super::*;

fn section(text: &str) -> anyhow::Result<Settings> {
    let section: Section = toml::from_str(text)?;
    section.check()
}

#[test]
fn what_is_not_said_has_a_default_by_where_it_goes() {
    for (to, name, form) in [
        ("tls://siem.example:6514", "tls", Form::Syslog),
        ("udp://[::1]:514", "udp", Form::Syslog),
        ("https://siem.example/in", "webhook", Form::Ocsf),
        ("file:out/verdicts.ndjson", "file", Form::Ndjson),
    ] {
        let settings = section(&format!("to = \"{to}\"")).unwrap();
        assert_eq!(settings.options.name, name);
        assert_eq!(settings.options.min_grade, Grade::Low);
        assert_eq!(settings.writer.enterprise, 32_473);
        let told = match settings.to {
            Target::Datagrams { form, .. } => form,
            Target::Stream(options) => options.form,
            Target::Webhook(options) => options.form,
            Target::File(options) => options.form,
        };
        assert_eq!(told, form);
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_key() {
    for (text, words) in [
        ("to = \"siem.example\"", "to: `siem.example`"),
        ("to = \"tcp://siem.example\"", "host:port"),
        ("to = \"tcp://x:1\"\nform = \"leef\"", "form: `leef`"),
        ("to = \"udp://x:1\"\nform = \"ocsf\"", "form:"),
        (
            "to = \"udp://x:1\"\nframing = \"lines\"",
            "framing: it means nothing",
        ),
        ("to = \"tls://x:1\"\ncertificate = \"a\"", "go together"),
        ("to = \"tls://x:1\"\nconfirm = \"hope\"", "confirm: `hope`"),
        ("to = \"tcp://x:1\"\nname = \"../x\"", "name: `../x`"),
        ("to = \"tcp://x:1\"\nfacility = 24", "facility"),
        (
            "to = \"tcp://x:1\"\nmin_grade = \"AWFUL\"",
            "min_grade: `AWFUL`",
        ),
        ("to = \"tcp://x:1\"\nspool = \"much\"", "spool"),
        (
            "to = \"https://x/\"\nsecret_env = \"ANDON_NO_SUCH\"",
            "ANDON_NO_SUCH",
        ),
        ("to = \"tcp://x:1\"\nfrom = \"y\"", "unknown field `from`"),
    ] {
        let error = format!("{:#}", section(text).unwrap_err());
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_secret_is_read_from_its_file_and_told_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "whisper-whisper-whisper\n").unwrap();
    let path = path.display();
    let text =
        format!("to = \"https://x/\"\nsecret_file = \"{path}\"\nauthorization_file = \"{path}\"");
    let settings = section(&text).unwrap();
    let Target::Webhook(options) = &settings.to else {
        panic!("it is a webhook");
    };
    assert_eq!(
        options.hook.secret.as_deref(),
        Some("whisper-whisper-whisper")
    );
    assert!(!format!("{settings:?}").contains("whisper"));
    assert!(settings.way().is_ok());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let sections = ["tcp://x:1", "nowhere", "tcp://x:2"];
    let sections = sections.map(|to| Section {
        to: to.to_owned(),
        ..Section::default()
    });
    let error = crate::siem::check(&sections).unwrap_err().to_string();
    assert!(error.contains("siem 2 of 3: to: `nowhere`"), "{error}");
    assert!(
        error.contains("siem 3 of 3: another is called `tcp`"),
        "{error}"
    );
}

#[test]
fn only_this_host_is_this_host() {
    for own in [
        "http://127.0.0.1:80/a",
        "http://localhost",
        "http://[::1]:9/x?y",
    ] {
        assert!(is_loopback(own), "{own}");
    }
    for other in [
        "http://127.evil.example",
        "http://localhost.evil.example/",
        "http://localhost@evil.example",
        "http://10.0.0.1",
        "http://[::2]",
    ] {
        assert!(!is_loopback(other), "{other}");
    }
}
