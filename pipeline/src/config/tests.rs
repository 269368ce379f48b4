//! What a configuration comes to.

use super::*;

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let error = toml::from_str::<File>("mode = \"monitor\"\nshrads = 2\n").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("line 2") && text.contains("shrads"), "{text}");
}

#[test]
fn listen_and_broker_exclude_each_other() {
    let file: MqttFile =
        toml::from_str("listen = \"127.0.0.1:1\"\nbroker = \"mqtt://b:1\"").unwrap();
    assert!(source(None, &file).is_err());
    assert!(matches!(
        source(Some("127.0.0.1:0"), &file),
        Ok(Mqtt::Listen(_))
    ));
    assert!(matches!(
        source(Some("mqtt://b:1883"), &file),
        Ok(Mqtt::Broker(_))
    ));
}

/// What `andon run` is told by a file and by what follows on the command line.
fn loaded(file: &Path, extra: &[&str]) -> Config {
    use clap::Parser as _;
    let file = file.to_str().unwrap();
    let line = ["andon", "run", "--config", file];
    let cli = crate::args::Cli::parse_from(line.iter().chain(extra));
    let crate::args::Command::Run(args) = cli.command else {
        panic!("it is a run");
    };
    Config::load(&args).unwrap()
}

#[test]
fn the_command_line_wins_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("andon.toml");
    std::fs::write(&path, "data = \"theirs\"\nshards = 3\n").unwrap();
    let load = |extra: &[&str]| {
        let config = loaded(&path, extra);
        (config.data, config.shards)
    };
    assert_eq!(load(&[]), (PathBuf::from("theirs"), 3));
    let told = load(&["--data", DATA, "--shards", "1"]);
    assert_eq!(told, (PathBuf::from(DATA), 1));
}

#[test]
fn advisories_are_named_in_the_file_or_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("andon.toml");
    std::fs::write(&path, "[advisories]\npath = \"csaf\"\n").unwrap();
    assert_eq!(loaded(&path, &[]).advisories, [PathBuf::from("csaf")]);
    let extra = ["--advisories", "a.json", "--advisories", "b.csv"];
    assert_eq!(
        loaded(&path, &extra).advisories,
        ["a.json", "b.csv"].map(PathBuf::from)
    );
    let error = toml::from_str::<File>("[advisories]\npaths = \"csaf\"\n").unwrap_err();
    assert!(
        error.to_string().contains("unknown field `paths`"),
        "{error}"
    );
}

#[test]
fn the_compose_stack_reads_from_kafka_what_its_bridge_takes_from_mosquitto() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docker/andon.toml");
    let config = loaded(Path::new(file), &[]);
    assert_eq!(config.mode, Mode::Monitor);
    assert_eq!(config.data, Path::new("/var/lib/andon"));
    let kafka = config.kafka.unwrap();
    assert_eq!(kafka.brokers, "kafka:9092");
    assert!(kafka.trusted_producers);
    let Mqtt::Broker(mosquitto) = config.mqtt else {
        panic!("the bridge reads from a broker");
    };
    assert!(!mosquitto.trusted_topics, "nobody proves himself there");
}

#[test]
fn a_shadow_is_named_in_the_file_or_on_the_command_line_and_not_on_kafka() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("andon.toml");
    std::fs::write(&path, "shadow = \"theirs\"\n").unwrap();
    let shadow = |extra: &[&str]| loaded(&path, extra).shadow.unwrap();
    assert_eq!(shadow(&[]), Path::new("theirs"));
    assert_eq!(shadow(&["--shadow", "ours"]), Path::new("ours"));
    let args = RunArgs {
        config: Some(path),
        kafka: Some("localhost:9092".to_owned()),
        ..RunArgs::default()
    };
    let refused = Config::load(&args).unwrap_err().to_string();
    assert!(refused.contains("`andon backtest --compare`"), "{refused}");
}

#[test]
fn a_principal_needs_a_role_and_a_digest() {
    let principal = |role: &str, digest: &str| PrincipalFile {
        name: "g".to_owned(),
        role: role.to_owned(),
        password_sha256: digest.to_owned(),
        serves: Vec::new(),
    };
    assert!(principal("gateway", &"0a".repeat(32)).check().is_ok());
    assert!(principal("king", &"0a".repeat(32)).check().is_err());
    assert!(principal("gateway", "0a").check().is_err());
    assert!(principal("gateway", &"zz".repeat(32)).check().is_err());
}
