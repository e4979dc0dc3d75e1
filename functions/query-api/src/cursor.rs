//! Cursors: the text by which a caller asks for a list to go on where it ended.
//!
//! A cursor names the path and the parameters it was asked with, and a place in the list. So a caller may follow
//! it alone, and it holds whatever restarts. It is not a secret and proves nothing: who may see what is decided by
//! the path, and every part of it is checked like a parameter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem::Problem;

/// Comes first in every cursor, so that a later form is not mistaken for this one.
const FORM: &str = "2";

/// What a cursor holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The path of the list.
    pub(crate) path: String,
    /// The query parameters, by name.
    pub(crate) query: Vec<(String, String)>,
    /// The place from which the list goes on, as the list writes it.
    pub(crate) place: String,
}

impl Cursor {
    /// Returns the cursor's text, which is safe in a URL.
    pub(crate) fn encode(&self) -> String {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        URL_SAFE_NO_PAD.encode(format!("{FORM}\n{}\n{query}\n{}", self.path, self.place))
    }

    /// Returns what a cursor's text holds.
    pub(crate) fn decode(text: &str) -> Result<Self, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Problem::InvalidCursor)?;
        let text = String::from_utf8(bytes).map_err(|_| Problem::InvalidCursor)?;
        let mut parts = text.splitn(4, '\n');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(FORM), Some(path), Some(query), Some(place)) => Ok(Self {
                path: path.to_owned(),
                query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
                place: place.to_owned(),
            }),
            _ => Err(Problem::InvalidCursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_url_safe_and_says_what_it_was_asked_with() {
        let cursor = Cursor {
            path: "/v1/network".to_owned(),
            query: vec![("from".to_owned(), "2025-12-02".to_owned()), ("x".to_owned(), "&=\n".to_owned())],
            place: "a b/c#~?\n\u{10FFFF}".to_owned(),
        };
        let text = cursor.encode();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_eq!(Cursor::decode(&text), Ok(cursor));
    }

    #[test]
    fn a_cursor_that_was_handed_out_stays_good() {
        let cursor = Cursor {
            path: "/v1/network".to_owned(),
            query: vec![("from".to_owned(), "2025-12-02".to_owned())],
            place: "2025-12-09".to_owned(),
        };
        let handed_out = "MgovdjEvbmV0d29yawpmcm9tPTIwMjUtMTItMDIKMjAyNS0xMi0wOQ";
        assert_eq!(cursor.encode(), handed_out);
        assert_eq!(Cursor::decode(handed_out), Ok(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "!", "Mg", "MQo", "____", "MgovdjEvbmV0d29yawo"] {
            assert_eq!(Cursor::decode(text), Err(Problem::InvalidCursor), "{text}");
        }
    }
}
