//! What a store says when it does not give an object, in words that help.

use std::error::Error as StdError;
use std::io;

use object_store::Error;
use object_store::client::HttpError;

use super::settings::RETRIES;

/// An error of a store, for whoever has to do something about it. Of what the server answers only
/// its code is told: the rest may name who asked.
pub(super) fn told(error: &Error, bucket: &str, endpoint: &str) -> io::Error {
    let code = code(&error.to_string());
    let (kind, words) = match error {
        _ if code.as_deref() == Some("NoSuchBucket") => (
            io::ErrorKind::NotFound,
            format!("there is no bucket `{bucket}`"),
        ),
        Error::NotFound { .. } => (
            io::ErrorKind::NotFound,
            "there is no such object, and none below it".to_owned(),
        ),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => denied(code),
        Error::Precondition { .. } => (
            io::ErrorKind::Other,
            "the object was replaced while it was read".to_owned(),
        ),
        other => match (code, transport(other)) {
            (Some(code), _) if DENIALS.contains(&code.as_str()) => denied(Some(code)),
            (Some(code), _) => (io::ErrorKind::Other, format!("it answers {code}")),
            (None, Some(cause)) => (
                io::ErrorKind::NotConnected,
                format!("it cannot be reached, tried {} times: {cause}", RETRIES + 1),
            ),
            (None, None) => (io::ErrorKind::Other, innermost(other)),
        },
    };
    io::Error::new(kind, format!("object store `{endpoint}`: {words}"))
}

/// Codes that come with the status 403, where the client keeps only the text.
const DENIALS: [&str; 4] = [
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
];

fn denied(code: Option<String>) -> (io::ErrorKind, String) {
    let code = code.map_or_else(String::new, |code| format!(" ({code})"));
    (
        io::ErrorKind::PermissionDenied,
        format!(
            "access denied{code}: look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, \
             and at what the bucket allows"
        ),
    )
}

/// The code that a server's answer bears, if there is an answer.
fn code(text: &str) -> Option<String> {
    let (_, behind) = text.split_once("<Code>")?;
    let (code, _) = behind.split_once("</Code>")?;
    let is_word = !code.is_empty() && code.len() <= 64;
    (is_word && code.chars().all(|c| c.is_ascii_alphanumeric())).then(|| code.to_owned())
}

/// Why a request did not get through, if that is what failed.
fn transport(error: &Error) -> Option<String> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if inner.is::<HttpError>() {
            return Some(innermost(inner));
        }
        cause = inner.source();
    }
    None
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(inner) = error.source() {
        error = inner;
    }
    error.to_string()
}
