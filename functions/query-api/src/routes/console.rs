//! `GET /`: the operators' console, one page without anything from elsewhere.
//!
//! The page holds no data; it asks this API with the token that its user gives it. What it may load
//! and run is fixed by its policy: its own script, by digest, and answers of its own origin.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use sha2::{Digest, Sha256};

use crate::access::Access;
use crate::answer::Answer;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/",
    access: Access::Public,
    parameters: &[],
    answer: |_| {
        async {
            Ok(Answer::text("text/html; charset=utf-8", PAGE)
                .with_header("content-security-policy", POLICY.as_str())
                .with_header("referrer-policy", "no-referrer"))
        }
        .boxed()
    },
};

const PAGE: &str = include_str!("../console.html");

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let (_, rest) = PAGE.split_once("<script>").expect("the page has a script");
    let (script, _) = rest.split_once("</script>").expect("the script ends");
    let digest = STANDARD.encode(Sha256::digest(script.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});
