//! Messages as they are on the wire.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::parameters::{in_range, required};
use crate::digest::{md5_of_attributes, md5_of_body};
use crate::error::QueueError;
use crate::message::{AttributeValue, MessageAttribute, NewMessage};
use crate::queue::{Delivery, Sent, TRACE_HEADER};

/// A message to be sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MessageToSend {
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, AttributeShape>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, AttributeShape>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

impl MessageToSend {
    /// Returns the message, if everything in it is what it says it is.
    pub(crate) fn read(self) -> Result<NewMessage, QueueError> {
        let read_attribute = |(name, shape): (String, AttributeShape)| Ok((name.clone(), shape.read(&name)?));
        Ok(NewMessage {
            body: required("MessageBody", self.message_body)?,
            attributes: self.message_attributes.into_iter().map(read_attribute).collect::<Result<_, _>>()?,
            trace_header: read_trace_header(self.message_system_attributes)?,
            group_id: self.message_group_id,
            deduplication_id: self.message_deduplication_id,
            delay_seconds: in_range("DelaySeconds", self.delay_seconds, 0..=900)?,
        })
    }
}

/// What a sender can check its message against, as it was understood.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SentShape {
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_system_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// The digests of a message that is about to be sent.
#[derive(Debug)]
pub(crate) struct Digests {
    body: String,
    attributes: Option<String>,
    system_attributes: Option<String>,
}

impl Digests {
    pub(crate) fn of(message: &NewMessage) -> Self {
        let trace_header = message.trace_header.as_ref().map(|header| MessageAttribute {
            data_type: "String".to_owned(),
            value: AttributeValue::Text(header.clone()),
        });
        Self {
            body: md5_of_body(&message.body),
            attributes: md5_of_attributes(by_name(&message.attributes)),
            system_attributes: md5_of_attributes(trace_header.as_ref().map(|header| (TRACE_HEADER, header))),
        }
    }
}

impl SentShape {
    pub(crate) fn new(sent: Sent, digests: Digests) -> Self {
        Self {
            message_id: sent.message_id,
            md5_of_message_body: digests.body,
            md5_of_message_attributes: digests.attributes,
            md5_of_message_system_attributes: digests.system_attributes,
            sequence_number: sent.sequence_number,
        }
    }
}

/// A message as its receiver sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReceivedShape {
    message_id: String,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<String, AttributeShape>,
}

/// Which attributes a receiver wants to see.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Names of system attributes, or `All`.
    pub(crate) system_attributes: Vec<String>,
    /// Names of message attributes, prefixes that end in `.*`, or `All`.
    pub(crate) message_attributes: Vec<String>,
}

impl ReceivedShape {
    pub(crate) fn new(delivery: &Delivery, wanted: &Wanted) -> Self {
        let content = &delivery.message.content;
        let wanted_attributes =
            || by_name(&content.attributes).filter(|(name, _)| wanted.message_attribute(name));
        Self {
            message_id: delivery.message.id.clone(),
            receipt_handle: delivery.receipt_handle.to_string(),
            md5_of_body: md5_of_body(&content.body),
            body: content.body.clone(),
            md5_of_message_attributes: md5_of_attributes(wanted_attributes()),
            message_attributes: wanted_attributes()
                .map(|(name, attribute)| (name.to_owned(), AttributeShape::write(attribute)))
                .collect(),
            attributes: delivery
                .system_attributes()
                .into_iter()
                .filter(|(name, _)| wanted.system_attribute(name))
                .collect(),
        }
    }
}

impl Wanted {
    fn system_attribute(&self, name: &str) -> bool {
        self.system_attributes.iter().any(|wanted| wanted == "All" || wanted == name)
    }

    fn message_attribute(&self, name: &str) -> bool {
        self.message_attributes.iter().any(|wanted| match wanted.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => wanted == "All" || wanted == "*" || wanted == name,
        })
    }
}

/// A message attribute: text, or bytes in base 64.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeShape {
    data_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

impl AttributeShape {
    fn read(self, name: &str) -> Result<MessageAttribute, QueueError> {
        let invalid = |reason: &str| QueueError::InvalidParameterValue {
            name: format!("MessageAttributes.{name}"),
            value: self.data_type.clone().unwrap_or_default(),
            reason: reason.to_owned(),
        };
        let value = match (&self.string_value, &self.binary_value) {
            (Some(text), None) => AttributeValue::Text(text.clone()),
            (None, Some(text)) => AttributeValue::Binary(
                BASE64.decode(text).map_err(|_| invalid("The binary value is not in base 64."))?,
            ),
            _ => return Err(invalid("There must be one value, a StringValue or a BinaryValue.")),
        };
        let data_type = self.data_type.ok_or(QueueError::MissingParameter { name: "DataType" })?;
        Ok(MessageAttribute { data_type, value })
    }

    fn write(attribute: &MessageAttribute) -> Self {
        let (string_value, binary_value) = match &attribute.value {
            AttributeValue::Text(text) => (Some(text.clone()), None),
            AttributeValue::Binary(bytes) => (None, Some(BASE64.encode(bytes))),
        };
        Self { data_type: Some(attribute.data_type.clone()), string_value, binary_value }
    }
}

fn read_trace_header(
    mut system_attributes: BTreeMap<String, AttributeShape>,
) -> Result<Option<String>, QueueError> {
    let trace_header = system_attributes.remove(TRACE_HEADER);
    if let Some((unknown, _)) = system_attributes.pop_first() {
        return Err(QueueError::InvalidParameterValue {
            name: "MessageSystemAttributes".to_owned(),
            value: unknown,
            reason: format!("{TRACE_HEADER} is the only system attribute a sender may set."),
        });
    }
    match trace_header.map(|shape| shape.read(TRACE_HEADER)).transpose()? {
        None => Ok(None),
        Some(MessageAttribute { data_type, value: AttributeValue::Text(header) })
            if data_type == "String" =>
        {
            Ok(Some(header))
        }
        Some(attribute) => Err(QueueError::InvalidParameterValue {
            name: "MessageSystemAttributes".to_owned(),
            value: attribute.data_type,
            reason: format!("{TRACE_HEADER} must be a String."),
        }),
    }
}

fn by_name(
    attributes: &BTreeMap<String, MessageAttribute>,
) -> impl Iterator<Item = (&str, &MessageAttribute)> {
    attributes.iter().map(|(name, attribute)| (name.as_str(), attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_attributes_are_wanted_by_name_by_prefix_or_all_together() {
        for (wanted, name, expected) in [
            ("color", "color", true),
            ("color", "colors", false),
            ("All", "color", true),
            (".*", "color", true),
            ("*", "color", true),
            ("shop.*", "shop.color", true),
            ("shop.*", "shopping", true),
            ("shop.*", "store", false),
        ] {
            let filter =
                Wanted { system_attributes: Vec::new(), message_attributes: vec![wanted.to_owned()] };
            assert_eq!(filter.message_attribute(name), expected, "{wanted} {name}");
        }
    }

    #[test]
    fn an_attribute_has_exactly_one_value() {
        let read = |json: &str| serde_json::from_str::<AttributeShape>(json).unwrap().read("a");
        assert_eq!(
            read(r#"{"DataType":"Binary","BinaryValue":"AP8="}"#).unwrap().value,
            AttributeValue::Binary(vec![0, 255])
        );
        for refused in [
            r#"{"DataType":"String"}"#,
            r#"{"DataType":"String","StringValue":"x","BinaryValue":"AP8="}"#,
            r#"{"DataType":"Binary","BinaryValue":"?"}"#,
            r#"{"StringValue":"x"}"#,
        ] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }
}
