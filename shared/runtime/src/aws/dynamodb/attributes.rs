//! Items as attributes: `pk`, `sk`, `r` for the revision, `b` for the body, `t` for the expiry.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use store::{Item, Key, StoreError, Table};

pub(super) type Attributes = HashMap<String, AttributeValue>;

pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(number: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

pub(super) fn bytes(bytes: Vec<u8>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

pub(super) fn of_key(key: &Key) -> Attributes {
    HashMap::from([("pk".to_owned(), text(&key.partition)), ("sk".to_owned(), text(&key.sort))])
}

pub(super) fn of_item(item: Item) -> Attributes {
    let mut attributes = of_key(&item.key);
    attributes.insert("r".to_owned(), number(item.revision));
    attributes.insert("b".to_owned(), bytes(item.body));
    if let Some(at_s) = item.expires_at_s {
        attributes.insert("t".to_owned(), number(at_s));
    }
    attributes
}

/// Returns the key that these attributes begin with.
pub(super) fn key(table: Table, attributes: &mut Attributes) -> Result<Key, StoreError> {
    if let (Some(AttributeValue::S(partition)), Some(AttributeValue::S(sort))) =
        (attributes.remove("pk"), attributes.remove("sk"))
    {
        return Ok(Key::new(table, partition, sort));
    }
    let key = Box::new(Key::new(table, "?", "?"));
    Err(StoreError::Unreadable { key, message: "it has no key of two texts".to_owned() })
}

pub(super) fn item(table: Table, mut attributes: Attributes) -> Result<Item, StoreError> {
    let key = key(table, &mut attributes)?;
    let unreadable =
        |message: &str| StoreError::Unreadable { key: Box::new(key.clone()), message: message.to_owned() };
    let Some(AttributeValue::N(revision)) = attributes.remove("r") else {
        return Err(unreadable("it has no revision in r"));
    };
    let revision = revision.parse().map_err(|_| unreadable("its revision in r is no whole number"))?;
    let Some(AttributeValue::B(body)) = attributes.remove("b") else {
        return Err(unreadable("it has no body in b"));
    };
    let expires_at_s = match attributes.remove("t") {
        None => None,
        Some(AttributeValue::N(at_s)) => {
            Some(at_s.parse().map_err(|_| unreadable("its expiry in t is no whole number"))?)
        }
        Some(_) => return Err(unreadable("its expiry in t is no number")),
    };
    Ok(Item { key, revision, body: body.into_inner(), expires_at_s })
}
