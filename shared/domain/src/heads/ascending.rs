//! Order numbers as they are stored: each by how far it is from the one before, which is mostly a byte or two.

use std::collections::BTreeSet;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

use crate::OrderId;

/// Writes the distances of ascending orders: the first one's from 0, and each other's from the one before.
pub(super) fn serialize<S: Serializer>(orders: &BTreeSet<OrderId>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut before = 0;
    serializer
        .collect_seq(orders.iter().map(|order| order.get() - std::mem::replace(&mut before, order.get())))
}

/// Reads orders that [`serialize`] wrote.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<OrderId>, D::Error> {
    let mut number = 0_u64;
    let after = |distance: u64| {
        number = number.checked_add(distance).filter(|_| distance > 0)?;
        OrderId::new(number)
    };
    let orders = Vec::<u64>::deserialize(deserializer)?.into_iter().map(after);
    orders.collect::<Option<_>>().ok_or_else(|| D::Error::custom("the orders do not ascend"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::{Deserialize, Serialize};

    use crate::OrderId;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Orders(#[serde(with = "super")] BTreeSet<OrderId>);

    #[test]
    fn orders_are_read_back_and_near_ones_take_a_byte_each() {
        let numbers = [7, 9, 136, 9_223_372_036_854_775_807];
        let orders = Orders(numbers.into_iter().filter_map(OrderId::new).collect());
        let written = postcard::to_allocvec(&orders).expect("serializable");
        assert_eq!(written[..4], [4, 7, 2, 127]);
        assert_eq!(postcard::from_bytes::<Orders>(&written), Ok(orders));
    }

    #[test]
    fn distances_that_lead_to_no_order_are_refused() {
        for distances in [vec![0], vec![5, 0], vec![u64::MAX], vec![i64::MAX as u64, 1]] {
            let written = postcard::to_allocvec(&distances).expect("serializable");
            assert!(postcard::from_bytes::<Orders>(&written).is_err(), "{distances:?}");
        }
    }
}
