//! One object, of one version: if another takes its place while it is read, its rest is not read.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _, ObjectStoreExt as _};

use super::SCHEME;
use super::blocks::Blocks;
use super::bucket::{Asked, Bucket};
use super::forward::Forward;

/// Most bytes of a text that is read as a whole.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// An object.
#[derive(Clone, Debug)]
pub(in crate::files) struct Object {
    bucket: Arc<Bucket>,
    path: PathBuf,
    key: Key,
    pub(super) size: u64,
    version: Option<String>,
}

impl Object {
    pub(super) fn new(bucket: Arc<Bucket>, path: PathBuf, about: ObjectMeta) -> Self {
        Self {
            bucket,
            path,
            key: about.location,
            size: about.size,
            version: about.e_tag,
        }
    }

    /// Its name, `s3://BUCKET/KEY`.
    pub(in crate::files) fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes from the first to the last.
    pub(in crate::files) fn forward(&self) -> Forward {
        Forward::new(self.clone())
    }

    /// Its bytes, here and there.
    pub(in crate::files) fn blocks(&self) -> Blocks {
        Blocks::new(self.clone())
    }

    /// Reads a text of the same bucket.
    ///
    /// # Errors
    /// What the store says, or a text that is too long or no text.
    pub(in crate::files) fn text_beside(&self, path: &Path) -> io::Result<String> {
        let name = path.to_str().and_then(|path| path.strip_prefix(SCHEME));
        let key = name.and_then(|name| name.split_once('/'));
        let key = key.and_then(|(_, key)| Key::parse(key).ok());
        let key = key.ok_or(io::ErrorKind::NotFound)?;
        let client = self.bucket.client.clone();
        let asked = self.bucket.ask(async move {
            let got = client.get(&key).await?;
            if got.meta.size > TEXT_BYTES_MAX {
                return Ok(None);
            }
            got.bytes().await.map(Some)
        });
        let text = self
            .bucket
            .wait(&asked)
            .map_err(|error| match error.kind() {
                // To those who may not list a bucket S3 does not say what is not there.
                io::ErrorKind::PermissionDenied => io::ErrorKind::NotFound.into(),
                _ => error,
            })?;
        let text = text
            .ok_or_else(|| io::Error::other(format!("it is longer than {TEXT_BYTES_MAX} bytes")))?;
        String::from_utf8(text.into())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))
    }

    /// Asks for a part that lies in it.
    pub(super) fn ask(&self, part: Range<u64>) -> Asked<Bytes> {
        let client = self.bucket.client.clone();
        let key = self.key.clone();
        let options = GetOptions {
            if_match: self.version.clone(),
            range: Some(GetRange::Bounded(part.clone())),
            ..GetOptions::default()
        };
        let length = usize::try_from(part.end - part.start).unwrap_or(usize::MAX);
        self.bucket.ask(async move {
            let mut coming = client.get_opts(&key, options).await?.into_stream();
            let mut bytes = BytesMut::with_capacity(length);
            // What a store sends is not always what it says it sends.
            while let Some(more) = coming.try_next().await? {
                if more.len() > length - bytes.len() {
                    return Err(wrong_length(&key, "more", length));
                }
                bytes.extend_from_slice(&more);
            }
            if bytes.len() < length {
                return Err(wrong_length(&key, "fewer", length));
            }
            Ok(bytes.freeze())
        })
    }

    /// Waits for a part.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn wait(&self, asked: &Asked<Bytes>) -> io::Result<Bytes> {
        self.bucket.wait(asked)
    }
}

fn wrong_length(key: &Key, than: &str, length: usize) -> object_store::Error {
    object_store::Error::Generic {
        store: "S3",
        source: format!("`{key}`: {than} bytes came than the {length} that were asked for").into(),
    }
}
