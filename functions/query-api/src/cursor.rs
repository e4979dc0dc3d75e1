//! Where a list goes on.
//!
//! A cursor is a position in a list, not a promise kept somewhere: it holds whatever restarts, and
//! costs nothing to keep. It names its list, so that a cursor of another one is refused; what it
//! gives access to is decided by the path alone.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem::Problem;

/// Comes first in every cursor, so that a later form can be told from this one.
const FORM: &str = "1";

/// The cursor of a position in the list with this name.
pub(crate) fn encode(list: &str, position: impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{FORM} {list} {position}"))
}

/// The position a cursor stands for.
pub(crate) fn decode<T: FromStr>(list: &str, cursor: &str) -> Result<T, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Problem::InvalidCursor)?;
    let text = String::from_utf8(bytes).map_err(|_| Problem::InvalidCursor)?;
    let mut parts = text.splitn(3, ' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(FORM), Some(named), Some(position)) if named == list => {
            position.parse().map_err(|_| Problem::InvalidCursor)
        }
        _ => Err(Problem::InvalidCursor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_url_safe_and_says_where_its_own_list_goes_on() {
        let cursor = encode("quarantine", "a b/c#~?\u{10FFFF}");
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_eq!(decode::<String>("quarantine", &cursor), Ok("a b/c#~?\u{10FFFF}".to_owned()));
        assert_eq!(decode::<String>("held", &cursor), Err(Problem::InvalidCursor));
        assert_eq!(decode::<u64>("quarantine", &cursor), Err(Problem::InvalidCursor));
        for forged in ["", "~", "MQ", "____"] {
            assert_eq!(decode::<String>("quarantine", forged), Err(Problem::InvalidCursor), "{forged}");
        }
    }
}
