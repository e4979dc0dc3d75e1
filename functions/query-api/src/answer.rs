//! What is sent back: status, headers, body, and the position that it stands at.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::log::Position;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::event::Event;

/// An answer: a status, a body of some type, and headers.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    content_type: &'static str,
    body: Body,
    is_tagged: bool,
    position: Option<Position>,
    headers: Vec<(&'static str, String)>,
}

#[derive(Debug)]
enum Body {
    Text(String),
    /// A JSON object without its position, which the tag leaves out.
    Object(String),
}

impl Answer {
    /// Returns what was asked for, as a JSON object with an entity tag.
    ///
    /// Its position is added when it is sent.
    pub(crate) fn json(content: &impl Serialize) -> Self {
        let body = serde_json::to_string(content).expect("answers are structs with text keys");
        assert!(body.starts_with('{'), "an answer is an object");
        Self { body: Body::Object(body), ..Self::text("application/json", "") }
    }

    /// Returns what was asked for, as a JSON object that differs from one moment to the next.
    pub(crate) fn momentary_json(content: &impl Serialize) -> Self {
        Self { is_tagged: false, ..Self::json(content) }
    }

    /// Returns what was asked for, as a text of this type, with an entity tag.
    pub(crate) fn text(content_type: &'static str, body: impl Into<String>) -> Self {
        Self {
            status: 200,
            content_type,
            body: Body::Text(body.into()),
            is_tagged: true,
            position: None,
            headers: Vec::new(),
        }
    }

    /// Returns a problem document.
    pub(crate) fn problem(status: u16, document: &Map<String, Value>) -> Self {
        let body = Body::Text(Value::from(document.clone()).to_string());
        Self { status, body, is_tagged: false, ..Self::text("application/problem+json", "") }
    }

    /// Returns the same answer with another status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Returns the same answer with one more header.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Returns the same answer with the position of the log that it stands on.
    pub(crate) fn at(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }

    /// Returns the same answer, at `position` unless it has one of its own.
    pub(crate) fn or_at(self, position: Option<Position>) -> Self {
        Self { position: self.position.or(position), ..self }
    }

    /// Returns the answer as the gateway takes it; without a body where the caller has it already.
    pub(crate) fn into_response(self, event: &Event) -> Value {
        let mut headers = Map::new();
        let mut set = |name: &str, value: String| drop(headers.insert(name.to_owned(), value.into()));
        set("cache-control", "private, no-cache".to_owned());
        set("x-content-type-options", "nosniff".to_owned());
        for (name, value) in self.headers {
            set(name, value);
        }
        if let Some(position) = self.position {
            set("ledger-position", position.to_string());
        }
        if self.is_tagged && self.status == 200 {
            let (Body::Text(body) | Body::Object(body)) = &self.body;
            let tag = entity_tag(body);
            let is_known = is_named(&tag, event.header("if-none-match"));
            set("etag", tag);
            if is_known {
                return json!({ "statusCode": 304, "headers": headers });
            }
        }
        set("content-type", self.content_type.to_owned());
        let body = match (self.body, self.position) {
            (Body::Object(object), Some(position)) => with_position(&object, position),
            (Body::Object(text) | Body::Text(text), _) => text,
        };
        json!({ "statusCode": self.status, "headers": headers, "body": body, "isBase64Encoded": false })
    }
}

/// Returns a JSON object's text with one more member, `position`.
fn with_position(object: &str, position: Position) -> String {
    let members = object.strip_prefix('{').expect("an answer is an object");
    let comma = if members.starts_with('}') { "" } else { "," };
    format!("{{\"position\":{position}{comma}{members}")
}

fn entity_tag(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..12]))
}

/// Returns whether the header names the tag. A proxy may have marked it as weak.
fn is_named(tag: &str, header: Option<&str>) -> bool {
    header.unwrap_or_default().split(',').any(|value| {
        let value = value.trim();
        value == "*" || value.strip_prefix("W/").unwrap_or(value) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(if_none_match: Option<&str>) -> Event {
        let headers = if_none_match.map_or(json!({}), |tags| json!({ "If-None-Match": tags }));
        serde_json::from_value(json!({ "headers": headers })).expect("an event")
    }

    #[test]
    fn a_caller_who_names_the_tag_is_told_that_nothing_changed() {
        let answer = |position| Answer::json(&json!({ "content": 1 })).at(position);
        let first = answer(5).into_response(&event(None));
        assert_eq!(first["statusCode"], 200);
        assert_eq!(first["body"], r#"{"position":5,"content":1}"#);
        assert_eq!(first["headers"]["ledger-position"], "5");
        let tag = first["headers"]["etag"].as_str().expect("a tag");
        for named in [tag.to_owned(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            let again = answer(6).into_response(&event(Some(&named)));
            assert_eq!(again["statusCode"], 304);
            assert_eq!(
                again["headers"]["ledger-position"], "6",
                "the content is the same at a later position"
            );
            assert_eq!(again.get("body"), None);
        }
        assert_eq!(answer(5).into_response(&event(Some("\"other\"")))["statusCode"], 200);
    }
}
