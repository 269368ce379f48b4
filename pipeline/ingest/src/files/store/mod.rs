//! Captures in object stores that speak the protocol of S3, named `s3://BUCKET/KEY`: one object, or
//! all objects below a key. Builds without the feature `object-store` know such names and say what
//! it takes to read them.

#[cfg(feature = "object-store")]
mod blocks;
#[cfg(feature = "object-store")]
mod bucket;
#[cfg(feature = "object-store")]
mod forward;
#[cfg(feature = "object-store")]
mod object;
#[cfg(feature = "object-store")]
mod refusal;
#[cfg(feature = "object-store")]
mod settings;

use std::io;
use std::path::Path;

#[cfg(feature = "object-store")]
pub(super) use bucket::Buckets;
#[cfg(feature = "object-store")]
pub(super) use object::Object;

use super::origin::Given;

/// How the name of an object begins.
const SCHEME: &str = "s3://";

/// Whether a path is the name of an object or of a place in an object store.
pub fn names_objects(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with(SCHEME))
}

/// The object of a name, or all objects below it.
///
/// # Errors
/// A name without a bucket, settings that cannot be used, no such object, or what the store says.
#[cfg(feature = "object-store")]
pub(super) fn find(path: &Path, buckets: &mut Buckets) -> io::Result<Given> {
    let name = path.to_str().and_then(|path| path.strip_prefix(SCHEME));
    let (bucket, key) = name
        .map(|name| name.split_once('/').unwrap_or((name, "")))
        .filter(|(bucket, _)| !bucket.is_empty())
        .ok_or_else(|| {
            let words =
                "objects are named `s3://BUCKET/KEY`, or `s3://BUCKET/FOLDER/` for all below";
            io::Error::new(io::ErrorKind::InvalidInput, words)
        })?;
    buckets.named(bucket)?.find(key)
}

/// Buckets of a build that reads none.
#[cfg(not(feature = "object-store"))]
#[derive(Debug, Default)]
pub(super) struct Buckets(());

/// Says that this build reads no object stores.
///
/// # Errors
/// Always.
#[cfg(not(feature = "object-store"))]
pub(super) fn find(_: &Path, _: &mut Buckets) -> io::Result<Given> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this build of andon reads no object stores: it was built without the feature \
         `object-store`. Build it with `cargo build --release --features object-store`",
    ))
}
