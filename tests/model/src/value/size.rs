//! How many bytes an item counts for, which decides its units and whether it may be stored.

use bytes::Bytes;

use super::{AttributeValue, Item, Text};

/// The most that an item may count, names included.
pub const MAX_ITEM_BYTES: usize = 400 * 1024;

/// Returns the bytes that an item counts for: its names and its values.
#[must_use]
pub fn item_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

/// Returns the bytes that one value counts for.
#[must_use]
pub fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_bytes(*number),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Bool(_) | AttributeValue::Null => 1,
        AttributeValue::L(elements) => {
            3 + elements.iter().map(|element| value_bytes(element) + 1).sum::<usize>()
        }
        AttributeValue::M(members) => {
            3 + members.iter().map(|(name, member)| name.len() + value_bytes(member) + 1).sum::<usize>()
        }
        AttributeValue::Ss(members) => members.iter().map(Text::len).sum(),
        AttributeValue::Ns(members) => members.iter().map(|number| number_bytes(*number)).sum(),
        AttributeValue::Bs(members) => members.iter().map(Bytes::len).sum(),
    }
}

fn number_bytes(number: super::Number) -> usize {
    number.significant_digits().div_ceil(2) as usize + 1 + usize::from(number.is_negative())
}

#[cfg(test)]
mod tests {
    use super::value_bytes;
    use crate::value::{AttributeValue, Item, Number};

    fn number_size(text: &str) -> usize {
        value_bytes(&AttributeValue::N(Number::parse(text).expect(text)))
    }

    #[test]
    fn a_number_counts_half_its_digits_and_one_and_one_more_below_zero() {
        assert_eq!(number_size("7"), 2);
        assert_eq!(number_size("123"), 3);
        assert_eq!(number_size("-123"), 4);
        assert_eq!(number_size("1000000"), 2);
    }

    #[test]
    fn lists_and_maps_count_three_bytes_and_one_for_each_element() {
        let text = |text: &str| AttributeValue::S(text.into());
        assert_eq!(value_bytes(&AttributeValue::L(vec![])), 3);
        assert_eq!(value_bytes(&AttributeValue::L(vec![text("ab"), AttributeValue::Null])), 3 + 3 + 2);
        let map = Item::from([("name", text("ö"))]);
        assert_eq!(value_bytes(&AttributeValue::M(map)), 3 + 4 + 2 + 1);
    }
}
