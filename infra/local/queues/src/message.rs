//! What is sent, and which of it a queue accepts.

use std::collections::BTreeMap;

use crate::error::QueueError;
use crate::settings::QueueSettings;

/// A message as its sender wrote it; it does not change after that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NewMessage {
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, MessageAttribute>,
    pub(crate) trace_header: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) deduplication_id: Option<String>,
    pub(crate) delay_seconds: Option<u32>,
}

/// A message attribute: a type, which may carry a label of the sender's (`Number.int`), and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageAttribute {
    pub(crate) data_type: String,
    pub(crate) value: AttributeValue,
}

/// An attribute's value; numbers travel as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AttributeValue {
    Text(String),
    Binary(Vec<u8>),
}

impl AttributeValue {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl NewMessage {
    /// Returns the size that counts against limits: the body and the attributes with their names and types.
    pub(crate) fn size_bytes(&self) -> usize {
        let attribute_bytes = |(name, attribute): (&String, &MessageAttribute)| {
            name.len() + attribute.data_type.len() + attribute.value.as_bytes().len()
        };
        self.body.len() + self.attributes.iter().map(attribute_bytes).sum::<usize>()
    }

    /// Returns whether a queue with these settings accepts the message.
    pub(crate) fn check(&self, settings: &QueueSettings) -> Result<(), QueueError> {
        if self.body.is_empty() {
            return Err(QueueError::MissingParameter { name: "MessageBody" });
        }
        let limit_bytes = settings.maximum_message_bytes;
        if self.size_bytes() > limit_bytes {
            return Err(QueueError::MessageTooLong { limit_bytes });
        }
        if !self.body.chars().all(is_allowed_in_a_body) {
            return Err(QueueError::InvalidMessageContents);
        }
        self.check_attributes()?;
        check_ordering_id("MessageGroupId", self.group_id.as_deref())?;
        check_ordering_id("MessageDeduplicationId", self.deduplication_id.as_deref())?;
        match &settings.fifo {
            Some(fifo) => self.check_for_fifo(fifo.content_based_deduplication),
            None => self.check_for_standard(),
        }
    }

    fn check_for_fifo(&self, content_based_deduplication: bool) -> Result<(), QueueError> {
        if self.group_id.is_none() {
            return Err(QueueError::MissingParameter { name: "MessageGroupId" });
        }
        if self.deduplication_id.is_none() && !content_based_deduplication {
            return Err(QueueError::DeduplicationIdRequired);
        }
        match self.delay_seconds {
            // A delay of one message would hold up its group, so only the queue as a whole may have one.
            Some(seconds) if seconds > 0 => {
                Err(not_valid_for_this_queue_type("DelaySeconds", &seconds.to_string()))
            }
            _ => Ok(()),
        }
    }

    fn check_for_standard(&self) -> Result<(), QueueError> {
        match &self.deduplication_id {
            Some(id) => Err(not_valid_for_this_queue_type("MessageDeduplicationId", id)),
            None => Ok(()),
        }
    }

    fn check_attributes(&self) -> Result<(), QueueError> {
        if self.attributes.len() > 10 {
            return Err(QueueError::InvalidParameterValue {
                name: "MessageAttributes".to_owned(),
                value: self.attributes.len().to_string(),
                reason: "A message has at most 10 attributes.".to_owned(),
            });
        }
        for (name, attribute) in &self.attributes {
            attribute.check(name)?;
        }
        Ok(())
    }
}

impl MessageAttribute {
    fn check(&self, name: &str) -> Result<(), QueueError> {
        let invalid = |value: &str, reason: &str| {
            Err(QueueError::InvalidParameterValue {
                name: format!("MessageAttributes.{name}"),
                value: value.to_owned(),
                reason: reason.to_owned(),
            })
        };
        let lower_case_name = name.to_ascii_lowercase();
        let well_formed = (1..=256).contains(&name.len())
            && name.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter))
            && !name.starts_with('.')
            && !name.ends_with('.')
            && !name.contains("..")
            && !lower_case_name.starts_with("aws.")
            && !lower_case_name.starts_with("amazon.");
        if !well_formed {
            return invalid(name, "The name is not one a message attribute may have.");
        }
        if self.data_type.len() > 256 {
            return invalid(&self.data_type, "The type is longer than 256 bytes.");
        }
        let logical_type = self.data_type.split('.').next().unwrap_or_default();
        match (logical_type, &self.value) {
            _ if self.value.as_bytes().is_empty() => invalid("", "The value must not be empty."),
            (_, AttributeValue::Text(text)) if !text.chars().all(is_allowed_in_a_body) => {
                invalid("", "The value has characters that are not allowed.")
            }
            ("String", AttributeValue::Text(_)) | ("Binary", AttributeValue::Binary(_)) => Ok(()),
            ("Number", AttributeValue::Text(text)) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(()),
                _ => invalid(text, "The value is not a number."),
            },
            _ => invalid(
                &self.data_type,
                "The type must be String, Number or Binary, and the value must fit it.",
            ),
        }
    }
}

fn is_allowed_in_a_body(character: char) -> bool {
    // Surrogates are no `char`, so what remains of the rule are the control characters and two noncharacters.
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn check_ordering_id(name: &str, id: Option<&str>) -> Result<(), QueueError> {
    match id {
        Some(id) if !((1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())) => {
            Err(QueueError::InvalidParameterValue {
                name: name.to_owned(),
                value: id.to_owned(),
                reason: format!(
                    "{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
                ),
            })
        }
        _ => Ok(()),
    }
}

fn not_valid_for_this_queue_type(name: &str, value: &str) -> QueueError {
    QueueError::InvalidParameterValue {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: "The request include parameter that is not valid for this queue type.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::MAXIMUM_REQUEST_BYTES;

    fn standard() -> QueueSettings {
        QueueSettings::standard()
    }

    fn message(body: &str) -> NewMessage {
        NewMessage { body: body.to_owned(), ..NewMessage::default() }
    }

    fn with_attribute(name: &str, data_type: &str, value: AttributeValue) -> NewMessage {
        let attribute = MessageAttribute { data_type: data_type.to_owned(), value };
        NewMessage { attributes: BTreeMap::from([(name.to_owned(), attribute)]), ..message("body") }
    }

    #[test]
    fn a_message_of_one_mebibyte_is_accepted_and_one_byte_more_is_not() {
        assert_eq!(message(&"x".repeat(MAXIMUM_REQUEST_BYTES)).check(&standard()), Ok(()));
        assert_eq!(
            message(&"x".repeat(MAXIMUM_REQUEST_BYTES + 1)).check(&standard()),
            Err(QueueError::MessageTooLong { limit_bytes: MAXIMUM_REQUEST_BYTES })
        );
    }

    #[test]
    fn attributes_count_towards_the_size() {
        let value = AttributeValue::Text("value".to_owned());
        assert_eq!(with_attribute("name", "String", value).size_bytes(), 4 + 4 + 6 + 5);
    }

    #[test]
    fn control_characters_are_refused_in_a_body() {
        assert_eq!(message("tab\tline\r\nä 漢 😀").check(&standard()), Ok(()));
        assert_eq!(message("\u{1}").check(&standard()), Err(QueueError::InvalidMessageContents));
        assert_eq!(message("\u{FFFF}").check(&standard()), Err(QueueError::InvalidMessageContents));
    }

    #[test]
    fn a_fifo_message_needs_a_group_and_an_id_and_has_no_delay_of_its_own() {
        let fifo = QueueSettings::fifo();
        let grouped = NewMessage { group_id: Some("g".to_owned()), ..message("body") };
        let complete = NewMessage { deduplication_id: Some("d".to_owned()), ..grouped.clone() };
        let delayed = NewMessage { delay_seconds: Some(1), ..complete.clone() };
        assert_eq!(
            message("body").check(&fifo),
            Err(QueueError::MissingParameter { name: "MessageGroupId" })
        );
        assert_eq!(grouped.check(&fifo), Err(QueueError::DeduplicationIdRequired));
        assert_eq!(complete.check(&fifo), Ok(()));
        assert!(matches!(delayed.check(&fifo), Err(QueueError::InvalidParameterValue { .. })));
        assert!(matches!(complete.check(&standard()), Err(QueueError::InvalidParameterValue { .. })));
    }

    #[test]
    fn ids_are_printable_and_at_most_128_long() {
        for (id, accepted) in [("a-Z_0!~", true), ("", false), ("a b", false), ("ä", false)] {
            let grouped = NewMessage { group_id: Some(id.to_owned()), ..message("body") };
            assert_eq!(grouped.check(&standard()).is_ok(), accepted, "{id}");
        }
        let too_long = NewMessage { group_id: Some("x".repeat(129)), ..message("body") };
        assert!(too_long.check(&standard()).is_err());
    }

    #[test]
    fn attributes_have_proper_names_and_values_of_their_type() {
        let text = |value: &str| AttributeValue::Text(value.to_owned());
        let binary = AttributeValue::Binary(vec![0]);
        for accepted in [
            with_attribute("a.b-c_1", "String.label", text("x")),
            with_attribute("n", "Number.int", text("-1.5e3")),
            with_attribute("b", "Binary", binary.clone()),
            with_attribute("attr.1øßä", "String", text("x")),
        ] {
            assert_eq!(accepted.check(&standard()), Ok(()));
        }
        for refused in [
            with_attribute("AWS.x", "String", text("x")),
            with_attribute(".x", "String", text("x")),
            with_attribute("x y", "String", text("x")),
            with_attribute("x", "String", text("")),
            with_attribute("x", "String", text("a\u{8}")),
            with_attribute("x", "Number", text("one")),
            with_attribute("x", "Number", text("inf")),
            with_attribute("x", "String", binary),
            with_attribute("x", "Text", text("x")),
        ] {
            assert!(refused.check(&standard()).is_err(), "{refused:?}");
        }
    }
}
