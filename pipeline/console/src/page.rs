//! The page of the security operations centre: built from `page/src` into `page/dist`, and carried
//! in the binary, so that it needs neither files nor a network beside its own server.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::Router;
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Nothing runs but the script that is served beside the page, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// One file of the page.
#[derive(Clone, Copy, Debug)]
struct Asset {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 4] = [
    Asset {
        path: "/",
        kind: "text/html; charset=utf-8",
        bytes: include_bytes!("../page/dist/index.html"),
    },
    Asset {
        path: "/assets/app.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../page/dist/app.js"),
    },
    Asset {
        path: "/assets/app.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("../page/dist/app.css"),
    },
    Asset {
        path: "/assets/licenses.txt",
        kind: "text/plain; charset=utf-8",
        bytes: include_bytes!("../page/dist/licenses.txt"),
    },
];

/// What answers for the page and its files.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.into_iter().fold(Router::new(), |router, asset| {
        let tag = tag(asset.bytes);
        router.route(
            asset.path,
            get(move |headers: HeaderMap| std::future::ready(asset.answer(&tag, &headers))),
        )
    })
}

impl Asset {
    /// The file, or that it is still what the client has. A new binary has to be seen at once, so it
    /// is asked for every time.
    fn answer(self, tag: &str, headers: &HeaderMap) -> Response {
        let known = headers.get(header::IF_NONE_MATCH);
        let is_known = known
            .and_then(|known| known.to_str().ok())
            .is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
        let mut answer = if is_known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, self.kind)], self.bytes).into_response()
        };
        let said = [
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                "same-origin",
            ),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                "same-origin",
            ),
        ];
        let headers = answer.headers_mut();
        for (name, value) in said {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(tag) = HeaderValue::from_str(tag) {
            headers.insert(header::ETAG, tag);
        }
        answer
    }
}

/// Names a content: another content, another tag.
fn tag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset(path: &str) -> Asset {
        *ASSETS.iter().find(|asset| asset.path == path).unwrap()
    }

    #[test]
    fn the_page_names_files_that_are_served() {
        let page = std::str::from_utf8(asset("/").bytes).unwrap();
        for path in ["assets/app.js", "assets/app.css"] {
            assert!(page.contains(&format!("\"{path}\"")), "{path}");
            asset(&format!("/{path}"));
        }
    }

    #[test]
    fn the_page_has_nothing_that_its_policy_forbids() {
        let page = std::str::from_utf8(asset("/").bytes).unwrap();
        for forbidden in [
            "style=",
            "<style",
            "onclick",
            "javascript:",
            "http://",
            "https://",
        ] {
            let outside_of_names = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!outside_of_names.contains(forbidden), "{forbidden}");
        }
        assert!(page.matches("<script").count() == 1 && page.contains("src=\"assets/app.js\""));
    }

    #[test]
    fn every_answer_bears_the_policy_and_a_tag() {
        for asset in ASSETS {
            let answer = asset.answer(&tag(asset.bytes), &HeaderMap::new());
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], asset.kind);
            assert_eq!(answer.headers()[header::ETAG], tag(asset.bytes).as_str());
        }
    }

    #[test]
    fn a_client_that_has_it_gets_it_not_again() {
        let asset = asset("/assets/app.js");
        let mut headers = HeaderMap::new();
        let given = format!("\"other\", {}", tag(asset.bytes));
        headers.insert(header::IF_NONE_MATCH, given.parse().unwrap());
        let answer = asset.answer(&tag(asset.bytes), &headers);
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        headers.insert(header::IF_NONE_MATCH, "\"other\"".parse().unwrap());
        let answer = asset.answer(&tag(asset.bytes), &headers);
        assert_eq!(answer.status(), StatusCode::OK);
    }

    #[test]
    fn all_of_it_stays_small() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.bytes.len()).sum();
        assert!(bytes < 200_000, "{bytes} bytes, uncompressed");
    }
}
