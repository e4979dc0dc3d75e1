//! The digests that clients verify and queues deduplicate by.

use std::fmt::Write;

use md5::{Digest, Md5};
use sha2::Sha256;

use crate::message::{AttributeValue, MessageAttribute};

/// Returns the MD5 of a message body.
pub(crate) fn md5_of_body(body: &str) -> String {
    hexadecimal(&Md5::digest(body))
}

/// Returns the MD5 of message attributes, which must come sorted by name; nothing if there are none.
///
/// Each attribute contributes its name, its type, one byte for the kind of its value, and its
/// value; everything but that byte is preceded by its length as four bytes, the highest first.
pub(crate) fn md5_of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a str, &'a MessageAttribute)>,
) -> Option<String> {
    let mut attributes = attributes.into_iter().peekable();
    attributes.peek()?;
    let mut digest = Md5::new();
    for (name, attribute) in attributes {
        let kind = match attribute.value {
            AttributeValue::Text(_) => 1,
            AttributeValue::Binary(_) => 2,
        };
        update_with_length(&mut digest, name.as_bytes());
        update_with_length(&mut digest, attribute.data_type.as_bytes());
        digest.update([kind]);
        update_with_length(&mut digest, attribute.value.as_bytes());
    }
    Some(hexadecimal(&digest.finalize()))
}

/// Returns the deduplication id of a message that has none of its own: the SHA-256 of its body.
pub(crate) fn content_deduplication_id(body: &str) -> String {
    hexadecimal(&Sha256::digest(body))
}

fn update_with_length(digest: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("an attribute is part of a message of at most 1 MiB");
    digest.update(length.to_be_bytes());
    digest.update(bytes);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_written_in_lower_case_hexadecimal() {
        assert_eq!(md5_of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(
            content_deduplication_id("hello"),
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
    }

    #[test]
    fn a_message_without_attributes_has_no_digest_of_them() {
        assert_eq!(md5_of_attributes([]), None);
    }

    #[test]
    fn attributes_are_digested_with_their_lengths_and_kinds() {
        let number =
            MessageAttribute { data_type: "Number".to_owned(), value: AttributeValue::Text("1".to_owned()) };
        let binary =
            MessageAttribute { data_type: "Binary".to_owned(), value: AttributeValue::Binary(vec![0xff]) };
        let bytes =
            b"\0\0\0\x01a\0\0\0\x06Number\x01\0\0\0\x011\0\0\0\x01b\0\0\0\x06Binary\x02\0\0\0\x01\xff";
        assert_eq!(
            md5_of_attributes([("a", &number), ("b", &binary)]),
            Some(hexadecimal(&Md5::digest(bytes)))
        );
    }
}
