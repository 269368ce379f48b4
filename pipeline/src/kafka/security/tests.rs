//! What is asked for comes to the client, what does not go together is refused with its key, and no
//! secret is ever printed.

use std::fs;

use tempfile::TempDir;

use crate::kafka::settings::{Section, Settings};

const PASSWORD: &str = "correct horse";

/// A folder with a file for every key that wants one.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        ("our.pem", "-----BEGIN CERTIFICATE-----\n"),
        ("our.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
        ("our.p12", "\u{1}"),
        ("password", "correct horse\r\n"),
        ("empty", "\n"),
        ("two", "a\nb\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Settings from a text in which `@` is the folder.
fn section(folder: &TempDir, text: &str) -> anyhow::Result<Settings> {
    let text = text.replace('@', &folder.path().to_string_lossy());
    let section: Section = toml::from_str(&text)?;
    Ok(section.check(Some("k:9092"))?.unwrap())
}

const TLS: &str = "[tls]\nca_file = \"@/ca.pem\"\n";
const PEM: &str = "certificate_file = \"@/our.pem\"\nkey_file = \"@/our.key\"\n\
                   key_password_file = \"@/password\"\n";
const SASL: &str = "[sasl]\nmechanism = \"SCRAM-SHA-512\"\nuser = \"andon\"\n\
                    password_file = \"@/password\"\n";

#[test]
fn the_protocol_follows_from_what_is_there() {
    let folder = folder();
    for (text, protocol) in [
        ("", "plaintext"),
        ("[tls]", "ssl"),
        (SASL, "sasl_plaintext"),
        (&format!("{TLS}{SASL}"), "sasl_ssl"),
    ] {
        let settings = section(&folder, text).unwrap();
        assert_eq!(settings.security.protocol(), protocol);
    }
}

#[test]
fn the_client_is_told_all_of_it() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let config = section(&folder, &format!("{TLS}{PEM}{SASL}"))
        .unwrap()
        .client("test");
    for (key, value) in [
        ("ssl.ca.location", path("ca.pem")),
        ("ssl.certificate.location", path("our.pem")),
        ("ssl.key.location", path("our.key")),
        ("ssl.key.password", PASSWORD.to_owned()),
        ("sasl.mechanism", "SCRAM-SHA-512".to_owned()),
        ("sasl.username", "andon".to_owned()),
        ("sasl.password", PASSWORD.to_owned()),
    ] {
        assert_eq!(config.get(key), Some(&*value), "{key}");
    }
    let keystore = "[tls]\nkeystore_file = \"@/our.p12\"\nkey_password_file = \"@/password\"";
    let config = section(&folder, keystore).unwrap().client("test");
    assert_eq!(config.get("ssl.keystore.location"), Some(&*path("our.p12")));
    assert_eq!(config.get("ssl.keystore.password"), Some(PASSWORD));
    assert_eq!(config.get("ssl.ca.location"), Some("probe"));
}

#[test]
fn no_secret_is_printed() {
    let folder = folder();
    let settings = section(&folder, &format!("{TLS}{PEM}{SASL}")).unwrap();
    let printed = format!("{settings:?} {settings:#?} {:?}", settings.client("test"));
    assert!(printed.contains("andon"), "{printed}");
    assert!(!printed.contains("horse"), "{printed}");
}

#[test]
fn a_password_that_anybody_on_the_way_can_read_is_warned_of() {
    let folder = folder();
    let plain = SASL.replace("SCRAM-SHA-512", "PLAIN");
    let warning = |text: &str| section(&folder, text).unwrap().security.warning();
    assert!(warning(&plain).is_some());
    assert!(warning(SASL).is_none());
    assert!(warning(&format!("{TLS}{plain}")).is_none());
}

#[test]
fn what_is_missing_or_does_not_go_together_is_refused_with_its_key() {
    let folder = folder();
    let sasl = |rest: &str| format!("[sasl]\nmechanism = \"PLAIN\"\nuser = \"a\"\n{rest}");
    for (text, words) in [
        (
            "[tls]\nca_file = \"@/none\"",
            "kafka.tls.ca_file: cannot read `",
        ),
        ("[tls]\nca_file = \"@/our.key\"", "holds no certificate"),
        ("[tls]\ncertificate_file = \"@/our.pem\"", "add `key_file`"),
        ("[tls]\nkey_file = \"@/our.key\"", "add `certificate_file`"),
        (
            "[tls]\ncertificate_file = \"@/our.pem\"\nkey_file = \"@/ca.pem\"",
            "kafka.tls.key_file: `",
        ),
        ("[tls]\nkey_password_file = \"@/password\"", "without a key"),
        (
            &format!("[tls]\n{PEM}keystore_file = \"@/our.p12\""),
            "exclude it",
        ),
        ("[tls]\nca = \"x\"", "unknown field `ca`"),
        ("[sasl]\nuser = \"a\"", "missing field `mechanism`"),
        (
            "[sasl]\nmechanism = \"GSSAPI\"\nuser = \"a\"",
            "kafka.sasl.mechanism: `GSSAPI`",
        ),
        (&sasl(""), "no password for user `a`"),
        (&sasl("password = \"x\""), "unknown field `password`"),
        (&sasl("password_file = \"@/empty\""), "is empty"),
        (&sasl("password_file = \"@/two\""), "more than one line"),
        (
            &sasl("password_env = \"ANDON_TEST_NOT_SET\""),
            "`ANDON_TEST_NOT_SET` is not set",
        ),
        (
            &sasl("password_file = \"@/two\"\npassword_env = \"X\""),
            "exclude each other",
        ),
    ] {
        let error = format!("{:#}", section(&folder, text).unwrap_err());
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn a_password_comes_from_the_environment_too() {
    let folder = folder();
    // Cargo sets this one for every test.
    let text = "[sasl]\nmechanism = \"PLAIN\"\nuser = \"a\"\npassword_env = \"CARGO_PKG_NAME\"";
    let config = section(&folder, text).unwrap().client("test");
    assert_eq!(config.get("sasl.password"), Some("andon"));
}
