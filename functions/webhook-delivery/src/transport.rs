//! The trait by which a message gets to a subscriber. It sends nothing itself: `http.rs` does, over the
//! network.

use domain::webhooks::Target;
use store::BoxFuture;

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Where it goes.
    pub target: Target,
    /// Its headers, besides those that HTTP itself needs.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

/// Takes messages to subscribers.
pub trait Transport: Send + Sync {
    /// Sends a message and returns the status of the answer. Redirects are not followed.
    ///
    /// # Errors
    ///
    /// It says in words why there is no answer.
    fn post(&self, post: Post) -> BoxFuture<'_, Result<u16, String>>;
}
