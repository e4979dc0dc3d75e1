//! The price book: read, written as text, read from text, and taken over.
//!
//! Touches: `Ledger` (reads), `Source` (writes a command).

use std::io::{self, BufRead, Write};

use domain::OrderId;
use domain::log::{Command, PageHash};
use store::inbox::{self, StoredCommand};
use store::{Engine, StoreError, Table, heads};

/// The first line of a price book as text.
const HEADER: &str = "order_id,trees_before";
/// How many places a command takes over. A page of the log has room for them.
const PLACES_PER_COMMAND: usize = 1_000;

/// Returns the place of every order that has one: the order and the trees before it.
///
/// # Errors
///
/// What storage says.
pub async fn read_price_book(engine: &dyn Engine) -> Result<Vec<(OrderId, u64)>, StoreError> {
    let mut places = Vec::new();
    store::each_item(engine, Table::Ledger, |item| {
        if let Some((order, head)) = heads::adoption_of(item)? {
            places.extend(head.trees_before.map(|trees_before| (order, trees_before)));
        }
        Ok::<_, StoreError>(())
    })
    .await?;
    places.sort_unstable();
    Ok(places)
}

/// Writes a price book as text: a header, and a line for each order.
///
/// # Errors
///
/// What the writer says.
pub fn write_price_book(places: &[(OrderId, u64)], writer: &mut impl Write) -> io::Result<()> {
    writeln!(writer, "{HEADER}")?;
    places.iter().try_for_each(|(order, trees_before)| writeln!(writer, "{order},{trees_before}"))
}

/// Reads a price book from text.
///
/// # Errors
///
/// [`InvalidPriceBook`] names the first line that is wrong.
pub fn parse_price_book(reader: impl BufRead) -> Result<Vec<(OrderId, u64)>, InvalidPriceBook> {
    let mut places: Vec<(OrderId, u64)> = Vec::new();
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.map_err(InvalidPriceBook::Io)?;
        if number == 1 {
            if line != HEADER {
                return Err(InvalidPriceBook::Line { number });
            }
            continue;
        }
        let place = line.split_once(',').and_then(|(order, trees_before)| {
            Some((order.parse::<OrderId>().ok()?, trees_before.parse::<u64>().ok()?))
        });
        let place = place.filter(|(order, _)| places.last().is_none_or(|(last, _)| last < order));
        places.push(place.ok_or(InvalidPriceBook::Line { number })?);
    }
    Ok(places)
}

/// A text that is not a price book.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPriceBook {
    /// It cannot be read.
    #[error("the price book cannot be read: {0}")]
    Io(io::Error),
    /// A line is not an order and a number of trees, or the orders do not ascend.
    #[error("line {number} of the price book is not `<order>,<trees before>` with ascending orders")]
    Line {
        /// Its number, from 1.
        number: u64,
    },
}

/// Asks for places to be taken over, some at a time. Returns the keys under which the decider answers.
///
/// The keys follow from the places, so that asking again asks for nothing new.
///
/// # Errors
///
/// What storage says.
pub async fn take_over_places(
    engine: &dyn Engine,
    places: &[(OrderId, u64)],
    by: &str,
    reason: &str,
) -> Result<Vec<String>, StoreError> {
    let mut keys = Vec::new();
    for part in places.chunks(PLACES_PER_COMMAND) {
        let lines: Vec<String> =
            part.iter().map(|(order, trees_before)| format!("{order},{trees_before}")).collect();
        let text = lines.join("\n");
        let key = format!("price-book-{}", PageHash::of(text.as_bytes()));
        let command = StoredCommand::new(by, reason, Command::TakeOverPlaces { places: part.to_vec() });
        inbox::ask(engine, &key, &command).await?;
        keys.push(key);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn order(number: u64) -> OrderId {
        OrderId::new(number).expect("an order number")
    }

    #[test]
    fn a_price_book_comes_back_from_text_as_it_was() {
        let places = vec![(order(3), 0), (order(70), 12), (order(u64::MAX >> 1), 99)];
        let mut text = Vec::new();
        write_price_book(&places, &mut text).expect("memory takes it");
        assert_eq!(parse_price_book(Cursor::new(text)).expect("a price book"), places);
    }

    #[test]
    fn a_text_that_is_no_price_book_is_refused_by_its_line() {
        let refused =
            |text: &str| parse_price_book(Cursor::new(text.to_owned())).expect_err("a refusal").to_string();
        assert!(refused("order,trees\n").contains("line 1"));
        assert!(refused("order_id,trees_before\n7,1\n7,1\n").contains("line 3"));
        assert!(refused("order_id,trees_before\n7,-1\n").contains("line 2"));
    }
}
