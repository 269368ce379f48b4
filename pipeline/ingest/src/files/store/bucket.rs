//! A bucket: which objects there are, and the runtime on which its client waits for answers.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use futures::TryStreamExt as _;
use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{Error, ObjectMeta, ObjectStore as _, ObjectStoreExt as _};
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use super::super::mappings::is_mapping;
use super::super::origin::{Given, Origin};
use super::SCHEME;
use super::object::Object;
use super::refusal::told;
use super::settings::Settings;

/// Most objects below one name: each of them is looked at before the first is read.
const OBJECTS_MAX: usize = 100_000;

/// The buckets that were named.
#[derive(Debug, Default)]
pub(in crate::files) struct Buckets {
    waiting: Option<Arc<Waiting>>,
    known: Vec<Arc<Bucket>>,
}

/// One bucket.
pub(super) struct Bucket {
    name: String,
    endpoint: String,
    pub(super) client: AmazonS3,
    waiting: Arc<Waiting>,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// The thread that waits for answers. Whoever reads waits for it, on a thread of whatever kind.
#[derive(Debug)]
struct Waiting(Option<Runtime>);

impl Waiting {
    fn new() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("object store")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Whoever lets go last may itself be on a runtime, which must not wait for another.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A request that is on its way; one that nobody waits for any more is given up.
#[derive(Debug)]
pub(super) struct Asked<T> {
    answer: Receiver<object_store::Result<T>>,
    task: Option<AbortHandle>,
}

impl<T> Drop for Asked<T> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Buckets {
    /// A bucket, reached as the environment says.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub(super) fn named(&mut self, name: &str) -> io::Result<Arc<Bucket>> {
        if let Some(known) = self.known.iter().find(|bucket| bucket.name == name) {
            return Ok(Arc::clone(known));
        }
        let Settings { builder, endpoint } = Settings::of(std::env::vars_os())?;
        let client = builder.with_bucket_name(name).build();
        let client = client.map_err(|error| told(&error, name, &endpoint))?;
        let waiting = if let Some(waiting) = &self.waiting {
            Arc::clone(waiting)
        } else {
            Arc::clone(self.waiting.insert(Arc::new(Waiting::new()?)))
        };
        let bucket = Arc::new(Bucket {
            name: name.to_owned(),
            endpoint,
            client,
            waiting,
        });
        self.known.push(Arc::clone(&bucket));
        Ok(bucket)
    }
}

impl Bucket {
    /// The object of a key, or all objects below it.
    ///
    /// # Errors
    /// If there is none, or what the store says.
    pub(super) fn find(self: &Arc<Self>, key: &str) -> io::Result<Given> {
        let parsed = Key::parse(key).map_err(|error| {
            let words = format!("`{key}` is no key that can be read: {error}");
            io::Error::new(io::ErrorKind::InvalidInput, words)
        })?;
        let is_folder = key.is_empty() || key.ends_with('/');
        if !is_folder {
            match self.about(parsed.clone()) {
                Ok(about) => return Ok(Given::One(Origin::Object(self.object(about)))),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(self.told(&error)),
            }
        }
        let mut found = self.below(parsed)?;
        // As the files of a folder are sorted.
        found.sort_by(|one, other| one.path().cmp(other.path()));
        Ok(Given::Folder(
            found.into_iter().map(Origin::Object).collect(),
        ))
    }

    /// Sends a request.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Asked<T> {
        let (out, answer) = sync_channel(1);
        let work = async move {
            // Nobody may wait for it any more.
            drop(out.send(request.await));
        };
        let runtime = self.waiting.0.as_ref();
        let task = runtime.map(|runtime| runtime.spawn(work).abort_handle());
        Asked { answer, task }
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn wait<T>(&self, asked: &Asked<T>) -> io::Result<T> {
        match asked.answer.recv() {
            Ok(answer) => answer.map_err(|error| self.told(&error)),
            Err(_) => Err(io::Error::other("the client of the object store gave up")),
        }
    }

    pub(super) fn told(&self, error: &Error) -> io::Error {
        told(error, &self.name, &self.endpoint)
    }

    /// Size and version of an object. What answers a question for these alone has no body, in which
    /// a refusal would say why; so it is asked again for the object.
    fn about(&self, key: Key) -> object_store::Result<ObjectMeta> {
        let client = self.client.clone();
        let asked = self.ask(async move {
            match client.head(&key).await {
                Err(Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) => {
                    client.get(&key).await.map(|got| got.meta)
                }
                about => about,
            }
        });
        asked.answer.recv().unwrap_or_else(|_| {
            Err(Error::Generic {
                store: "S3",
                source: "the client gave up".into(),
            })
        })
    }

    fn below(self: &Arc<Self>, prefix: Key) -> io::Result<Vec<Object>> {
        let listing = self.client.list(Some(&prefix));
        let listed = self.ask(async move {
            let mut found = Vec::new();
            let mut listing = listing;
            while let Some(about) = listing.try_next().await? {
                if is_capture(&prefix, &about.location) {
                    found.push(about);
                }
                if found.len() > OBJECTS_MAX {
                    break;
                }
            }
            Ok(found)
        });
        let found = self.wait(&listed)?;
        if found.len() > OBJECTS_MAX {
            return Err(io::Error::other(format!(
                "more than {OBJECTS_MAX} objects lie below it; name them in parts, for example day \
                 by day"
            )));
        }
        if found.is_empty() {
            let nothing = Error::NotFound {
                path: String::new(),
                source: "the listing is empty".into(),
            };
            return Err(self.told(&nothing));
        }
        Ok(found.into_iter().map(|about| self.object(about)).collect())
    }

    fn object(self: &Arc<Self>, about: ObjectMeta) -> Object {
        let path = format!("{SCHEME}{}/{}", self.name, about.location);
        Object::new(Arc::clone(self), PathBuf::from(path), about)
    }
}

/// Whether an object below a prefix is a capture: hidden ones are passed over, as hidden files are,
/// and mappings, which say how their neighbours are read.
fn is_capture(prefix: &Key, key: &Key) -> bool {
    let Some(mut below) = key.prefix_match(prefix) else {
        return false;
    };
    let is_hidden = below.any(|part| part.as_ref().starts_with('.'));
    key != prefix && !is_hidden && !is_mapping(std::path::Path::new(key.as_ref()))
}
