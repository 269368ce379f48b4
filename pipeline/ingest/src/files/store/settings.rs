//! How a store is reached, from the environment variables that its other clients read too.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, Certificate, ClientConfigKey, ClientOptions, RetryConfig};

/// How often a request is made again before its failure counts.
pub(super) const RETRIES: usize = 4;

/// Names a file with the certificates of a plant's own authorities.
const AUTHORITIES: &str = "AWS_CA_BUNDLE";

/// Where S3 itself lies, unless an endpoint is named.
const REGION: &str = "us-east-1";

/// A store that can be asked.
pub(super) struct Settings {
    pub(super) builder: AmazonS3Builder,
    /// Where it is, without any name or password.
    pub(super) endpoint: String,
}

impl Settings {
    /// Reads the variables that begin with `AWS_`; an empty one counts as not there.
    ///
    /// # Errors
    /// No credentials, an endpoint that is none, or one where they would cross a network in plain
    /// text.
    pub(super) fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> io::Result<Self> {
        let mut builder = AmazonS3Builder::new().with_retry(retry());
        let variables: Vec<_> = variables.collect();
        let bundle = variables.iter().find(|(name, _)| name == AUTHORITIES);
        if let Some((_, path)) = bundle.filter(|(_, path)| !path.is_empty()) {
            builder = builder.with_client_options(trusting(Path::new(path))?);
        }
        for (name, value) in variables {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
                continue;
            };
            if !value.is_empty()
                && name.starts_with("AWS_")
                && let Ok(key) = name.to_ascii_lowercase().parse()
            {
                if key == AmazonS3ConfigKey::Client(ClientConfigKey::AllowInvalidCertificates) {
                    return Err(invalid(format!(
                        "{name} would take anybody for the store: name the authority that it is \
                         certified by in AWS_CA_BUNDLE"
                    )));
                }
                builder = builder.with_config(key, value);
            }
        }
        check_credentials(&builder)?;
        let value = |key: AmazonS3ConfigKey| builder.get_config_value(&key);
        let named = value(AmazonS3ConfigKey::S3Endpoint).or(value(AmazonS3ConfigKey::Endpoint));
        let Some(named) = named else {
            let region = value(AmazonS3ConfigKey::Region).unwrap_or(REGION.to_owned());
            let endpoint = format!("https://s3.{region}.amazonaws.com");
            return Ok(Self { builder, endpoint });
        };
        let endpoint = without_userinfo(&named);
        let allowed = value(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
        let is_allowed = allowed.is_some_and(|value| value == "true");
        let lower = named.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("http://") {
            if !is_allowed && !is_loopback(rest) {
                return Err(invalid(format!(
                    "endpoint `{endpoint}` is plain http, which everybody on the way can read: use \
                     https, or set AWS_ALLOW_HTTP=true"
                )));
            }
            builder = builder.with_allow_http(true);
        } else if !lower.starts_with("https://") {
            return Err(invalid(format!(
                "endpoint `{endpoint}` (AWS_ENDPOINT_URL) is no address that begins with https://"
            )));
        }
        Ok(Self { builder, endpoint })
    }
}

/// A client that trusts the authorities of a file besides those of the system.
fn trusting(path: &Path) -> io::Result<ClientOptions> {
    let unread = |error: &dyn std::fmt::Display| {
        invalid(format!("{AUTHORITIES} `{}`: {error}", path.display()))
    };
    let bundle = fs::read(path).map_err(|error| unread(&error))?;
    let authorities = Certificate::from_pem_bundle(&bundle).map_err(|error| unread(&error))?;
    Ok(authorities
        .into_iter()
        .fold(ClientOptions::new(), ClientOptions::with_root_certificate))
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(3),
            base: 3.0,
        },
        max_retries: RETRIES,
        retry_timeout: Duration::from_secs(60),
    }
}

/// Without any, the client would ask an address of the cloud's own, which a plant does not have.
fn check_credentials(builder: &AmazonS3Builder) -> io::Result<()> {
    let has = |key: AmazonS3ConfigKey| builder.get_config_value(&key).is_some();
    let is_public = builder
        .get_config_value(&AmazonS3ConfigKey::SkipSignature)
        .is_some_and(|value| value == "true");
    let sources = [
        AmazonS3ConfigKey::WebIdentityTokenFile,
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
        AmazonS3ConfigKey::MetadataEndpoint,
    ];
    let [id, secret] = [
        AmazonS3ConfigKey::AccessKeyId,
        AmazonS3ConfigKey::SecretAccessKey,
    ]
    .map(has);
    if id != secret {
        let lacks = if id {
            "AWS_SECRET_ACCESS_KEY"
        } else {
            "AWS_ACCESS_KEY_ID"
        };
        return Err(invalid(format!(
            "{lacks} is not set, only the other half of the key"
        )));
    }
    if id || is_public || sources.into_iter().any(has) {
        return Ok(());
    }
    Err(invalid(
        "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
         AWS_SKIP_SIGNATURE=true for a bucket that is open to everybody"
            .to_owned(),
    ))
}

/// Where a URL without its scheme leads: the part that names a machine, with its port.
fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest)
}

fn is_loopback(rest: &str) -> bool {
    let authority = authority(rest);
    let host = match authority.strip_prefix('[') {
        Some(literal) => literal.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    // Behind a name and a password stands another host.
    !authority.contains('@')
        && (host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()))
}

/// A URL as it may be shown: a name and a password in it are left out.
fn without_userinfo(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = authority(rest);
    let Some((_, host)) = authority.rsplit_once('@') else {
        return url.to_owned();
    };
    let behind = &rest[authority.len()..];
    format!("{scheme}://{host}{behind}")
}

fn invalid(words: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [(&str, &str); 2] = [
        ("AWS_ACCESS_KEY_ID", "someone"),
        ("AWS_SECRET_ACCESS_KEY", "not to be told"),
    ];

    fn endpoint(given: &[(&str, &str)]) -> Result<String, String> {
        let given = given
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let settings = Settings::of(given).map_err(|error| error.to_string())?;
        settings
            .builder
            .with_bucket_name("plant")
            .build()
            .map_err(|error| error.to_string())?;
        Ok(settings.endpoint)
    }

    fn with_key(more: &[(&str, &str)]) -> Result<String, String> {
        endpoint(&[&KEY, more].concat())
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_it_is_allowed() {
        for near in [
            "http://127.0.0.1:9000",
            "http://localhost",
            "HTTP://[::1]:9000/",
        ] {
            assert_eq!(with_key(&[("AWS_ENDPOINT_URL", near)]).as_deref(), Ok(near));
        }
        for far in [
            "http://10.0.0.1:9000",
            "http://localhost.example",
            "http://127.0.0.1@plant.example",
            "http://127.0.0.1.example:80",
        ] {
            let told = with_key(&[("AWS_ENDPOINT_URL", far)]).unwrap_err();
            assert!(told.contains("AWS_ALLOW_HTTP=true"), "{far}: {told}");
            let allowed = [("AWS_ENDPOINT_URL", far), ("AWS_ALLOW_HTTP", "true")];
            assert!(with_key(&allowed).is_ok(), "{far}");
        }
        let other = with_key(&[("AWS_ENDPOINT_URL", "ftp://127.0.0.1")]);
        assert!(other.unwrap_err().contains("https://"));
    }

    #[test]
    fn the_store_is_where_the_variables_say() {
        let of_s3 = [
            ("AWS_ENDPOINT_URL", "https://any.example"),
            ("AWS_ENDPOINT_URL_S3", "https://store.example"),
        ];
        assert_eq!(with_key(&of_s3).as_deref(), Ok("https://store.example"));
        let region = with_key(&[("AWS_REGION", "eu-central-1"), ("AWS_ENDPOINT_URL", "")]);
        assert_eq!(
            region.as_deref(),
            Ok("https://s3.eu-central-1.amazonaws.com")
        );
        let named = with_key(&[("AWS_ENDPOINT_URL", "https://me:secret@store.example:1/a")]);
        assert_eq!(named.as_deref(), Ok("https://store.example:1/a"));
    }

    #[test]
    fn credentials_are_named_or_said_not_to_be_needed() {
        let told = endpoint(&[]).unwrap_err();
        assert!(
            told.contains("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
            "{told}"
        );
        let half = endpoint(&KEY[..1]).unwrap_err();
        assert!(
            half.starts_with("AWS_SECRET_ACCESS_KEY is not set"),
            "{half}"
        );
        let half = endpoint(&KEY[1..]).unwrap_err();
        assert!(half.starts_with("AWS_ACCESS_KEY_ID is not set"), "{half}");
        assert!(!half.contains(KEY[1].1));
        assert!(endpoint(&[("AWS_SKIP_SIGNATURE", "true")]).is_ok());
    }

    #[test]
    fn authorities_that_cannot_be_read_are_told() {
        let told = with_key(&[(AUTHORITIES, "/nowhere/ca.pem")]).unwrap_err();
        assert!(
            told.starts_with("AWS_CA_BUNDLE `/nowhere/ca.pem`"),
            "{told}"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nrubbish\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert!(with_key(&[(AUTHORITIES, path)]).unwrap_err().contains(path));
    }
}
