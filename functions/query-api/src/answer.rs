//! What is sent back.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// An answer: a status, a body of some type, and headers.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
    tagged: bool,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    /// What was asked for, as JSON, with an entity tag.
    pub(crate) fn json(content: &impl Serialize) -> Self {
        let body = serde_json::to_string(content).expect("answers are structs with text keys");
        Self::text("application/json", body)
    }

    /// What was asked for, as JSON that differs from one moment to the next.
    pub(crate) fn momentary_json(content: &impl Serialize) -> Self {
        Self { tagged: false, ..Self::json(content) }
    }

    /// What was asked for, as a text of this type, with an entity tag.
    pub(crate) fn text(content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status: 200, content_type, body: body.into(), tagged: true, headers: Vec::new() }
    }

    /// A problem document.
    pub(crate) fn problem(status: u16, document: &impl Serialize) -> Self {
        Self { status, content_type: "application/problem+json", ..Self::momentary_json(document) }
    }

    /// The same answer with one more header.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer as the gateway takes it; without a body where the caller has it already.
    pub(crate) fn into_response(self, request_headers: &HeaderMap) -> ApiGatewayV2httpResponse {
        let mut response = ApiGatewayV2httpResponse::default();
        let headers = &mut response.headers;
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        for (name, value) in self.headers {
            let value = HeaderValue::from_str(&value).expect("headers are plain text");
            headers.insert(HeaderName::from_static(name), value);
        }
        if self.tagged {
            let tag = entity_tag(&self.body);
            headers.insert(ETAG, HeaderValue::from_str(&tag).expect("a tag is plain text"));
            if is_known(&tag, request_headers) {
                response.status_code = 304;
                return response;
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        response.status_code = self.status.into();
        response.body = Some(Body::Text(self.body));
        response
    }
}

fn entity_tag(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..12]))
}

/// Whether the caller named the tag. A proxy may have marked it as weak.
fn is_known(tag: &str, headers: &HeaderMap) -> bool {
    let named = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|value| {
        let value = value.trim();
        value == "*" || value.strip_prefix("W/").unwrap_or(value) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_the_tag_is_told_that_nothing_changed() {
        let answer = || Answer::json(&"content");
        let first = answer().into_response(&HeaderMap::new());
        assert_eq!(first.status_code, 200);
        let tag = first.headers[ETAG].clone();
        for named in
            [tag.to_str().expect("text").to_owned(), format!("\"other\", W/{}", tag.to_str().expect("text"))]
        {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, named.parse().expect("a header"))]);
            let again = answer().into_response(&headers);
            assert_eq!((again.status_code, again.body), (304, None));
        }
        let other = HeaderMap::from_iter([(IF_NONE_MATCH, "\"other\"".parse().expect("a header"))]);
        assert_eq!(answer().into_response(&other).status_code, 200);
    }
}
