//! Attribute values and items as the table stores them.

mod depth;
mod item;
mod json;
mod number;
mod size;

use std::collections::BTreeSet;

use bytes::Bytes;
pub use depth::{MAX_DEPTH, depth};
pub use item::{Item, Text};
pub use json::{InvalidValue, item_from_json, item_to_json, value_from_json, value_to_json};
pub use number::{InvalidNumber, Number};
pub use size::{MAX_ITEM_BYTES, item_bytes, value_bytes};

/// A value of an attribute, of one of the ten types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// A string.
    S(Text),
    /// A number.
    N(Number),
    /// Bytes.
    B(Bytes),
    /// True or false.
    Bool(bool),
    /// The null value, which is not the same as a missing attribute.
    Null,
    /// A list.
    L(Vec<AttributeValue>),
    /// A map.
    M(Item),
    /// A set of strings.
    Ss(BTreeSet<Text>),
    /// A set of numbers.
    Ns(BTreeSet<Number>),
    /// A set of bytes.
    Bs(BTreeSet<Bytes>),
}

impl AttributeValue {
    /// Returns the name of the type as expressions and the wire spell it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::L(_) => "L",
            Self::M(_) => "M",
            Self::Ss(_) => "SS",
            Self::Ns(_) => "NS",
            Self::Bs(_) => "BS",
        }
    }

    /// Returns the text of a string value.
    #[must_use]
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::S(text) => Some(text),
            _ => None,
        }
    }
}
