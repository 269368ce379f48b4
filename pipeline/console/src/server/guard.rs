//! What every request and every answer passes: the gate, and the headers that keep browsers from
//! doing with an answer what it was not meant for.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::{decision, signals};
use super::connection::Lease;
use super::problem::Problem;
use crate::access::{self, Denied, Gate, Role};

/// A page may load what is ours, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// Lets through whoever may ask.
pub(super) async fn guard(
    State(gate): State<Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut answer = match admit(&gate, &mut request) {
        Ok(()) => next.run(request).await,
        Err(denied) => refusal(denied),
    };
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    answer
}

fn admit(gate: &Gate, request: &mut Request) -> Result<(), Denied> {
    let path = request.uri().path();
    // Who looks after processes has no token, and learns nothing of the plant.
    if path.starts_with("/health/") {
        return Ok(());
    }
    // Nor does whoever wants to know how signals are signed.
    let is_public = [signals::METADATA, signals::KEYS].contains(&path);
    if is_public && matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let Some(lease) = request.extensions().get::<Lease>().cloned() else {
        return Err(Denied::Nobody);
    };
    let is_page = path == "/" || path.starts_with("/assets/");
    let identity = gate.pass(&access::Request {
        host: text(request.headers(), &header::HOST),
        authorization: text(request.headers(), &header::AUTHORIZATION),
        named: lease.named(),
        peer: lease.peer(),
        needs: needs(request.method(), path),
    });
    match identity {
        Ok(identity) => {
            request.extensions_mut().insert(identity);
            Ok(())
        }
        // The page itself is the same for everybody; what it shows it asks for with a token.
        Err(Denied::Nobody | Denied::Stranger) if is_page => Ok(()),
        Err(denied) => Err(denied),
    }
}

/// Which role a request needs.
fn needs(method: &Method, path: &str) -> Role {
    // Questions that are too long for an address.
    let asks = [
        "/v1/risk",
        decision::OURS,
        decision::AS_OPA,
        signals::VERIFY,
    ]
    .contains(&path)
        || path.starts_with(signals::POLLS)
        || matches!(*method, Method::GET | Method::HEAD);
    if asks { Role::Read } else { Role::Respond }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // What is no text is none that anybody knows.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn refusal(denied: Denied) -> Response {
    let problem = |status, detail: &str| Problem::new(status, detail.to_owned()).into_response();
    let with = |mut answer: Response, name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
        answer
    };
    match denied {
        Denied::Nobody => with(
            problem(
                StatusCode::UNAUTHORIZED,
                "a token is needed: `Authorization: Bearer`",
            ),
            header::WWW_AUTHENTICATE,
            "Bearer realm=\"andon\"",
        ),
        Denied::Stranger => with(
            problem(StatusCode::UNAUTHORIZED, "the token is not known"),
            header::WWW_AUTHENTICATE,
            "Bearer realm=\"andon\", error=\"invalid_token\"",
        ),
        Denied::OtherHost => problem(
            StatusCode::MISDIRECTED_REQUEST,
            "`Host` is no name of this server: use its address, or list the name in `hosts`",
        ),
        Denied::TooOften(seconds) => with(
            problem(StatusCode::TOO_MANY_REQUESTS, "too many requests"),
            header::RETRY_AFTER,
            &seconds.to_string(),
        ),
        Denied::NotAllowed(role) => {
            let detail = format!("the role `{}` is needed", role.as_str());
            problem(StatusCode::FORBIDDEN, &detail)
        }
    }
}
