//! What is sent to a subscriber, by the convention of Standard Webhooks.

use domain::events::Event;
use domain::log::DeliveryId;
use domain::webhooks::{SigningSecret, Target};
use serde_json::json;

use crate::transport::Post;

/// The type of every message: events of the ledger.
const MESSAGE_TYPE: &str = "contribution.events";

/// Returns the message that has these events.
///
/// The same events under the same id have the same body, however often they are sent; the time of sending, and with it
/// the signature, is another each time.
pub(crate) fn message(
    target: Target,
    id: &DeliveryId,
    events: &[Event],
    secrets: &[SigningSecret],
    timestamp_s: i64,
) -> Post {
    let body = json!({
        "type": MESSAGE_TYPE,
        "timestamp": events.last().map(|event| event.time),
        "data": { "webhook": id.webhook, "after": id.after, "to": id.to, "events": events },
    })
    .to_string();
    let id = id.to_string();
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(&id, timestamp_s, &body)).collect();
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("user-agent", concat!("contribution-ledger/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("webhook-id", id),
        ("webhook-timestamp", timestamp_s.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    Post { target, headers, body }
}
