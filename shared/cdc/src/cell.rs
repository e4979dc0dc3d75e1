//! What a field means in a column of a row: its value in one normal form, or what is wrong with it.

use std::borrow::Cow;

use domain::{AccountSequence, OrderId, RegionCode};

use super::column::{Cell, Column, Problem, Unreadable};
use super::profile::Encoding;
use super::value::{Field, Scalar};
use super::{decimal, time};

impl Field<'_> {
    /// Returns what the row has in this column, or nothing where the connector does not know it.
    pub(super) fn cell(&self, column: Column, encoding: &Encoding) -> Option<Cell> {
        if self.text().is_some_and(|text| UNAVAILABLE.contains(&text)) {
            return None;
        }
        if self.is_null() {
            return Some(Cell::Null);
        }
        let read = match column {
            Column::Order => self.order(),
            Column::Account | Column::Referrer => self.account(),
            Column::TreeCount => self.tree_count(),
            Column::ContributionPerTree => decimal::price(&self.value, self.schema, encoding.decimals)
                .map(|price| Some(price.to_string())),
            Column::AdoptionDate => time::business_date(&self.value, self.schema, encoding)
                .map(|date| Some(date.to_string()))
                .ok_or(Problem::Date),
            Column::Status => self.status(),
            Column::Province | Column::City => self.region(),
            Column::CreatedAt | Column::LastActivity => time::instant(&self.value, self.schema, encoding)
                .map(|instant| Some(instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)))
                .ok_or(Problem::Date),
        };
        Some(match read {
            Ok(Some(value)) => Cell::Value(value),
            Ok(None) => Cell::Null,
            Err(problem) => Cell::Unreadable(Unreadable { column: self.name.clone().into_owned(), problem }),
        })
    }

    fn order(&self) -> Result<Option<String>, Problem> {
        decimal::whole_number(&self.value, self.schema)
            .and_then(|number| OrderId::new(u64::try_from(number).ok()?))
            .map(|order| Some(order.to_string()))
            .ok_or(Problem::Order)
    }

    fn tree_count(&self) -> Result<Option<String>, Problem> {
        let number = decimal::whole_number(&self.value, self.schema).ok_or(Problem::WholeNumber)?;
        Ok(Some(number.to_string()))
    }

    /// Returns an account, also one that the source keeps as a whole number. Blanks at its end mean nothing, and
    /// nothing but blanks is not an account.
    fn account(&self) -> Result<Option<String>, Problem> {
        let text = self.in_words().ok_or(Problem::Account)?;
        let is_number = !matches!(self.value, Scalar::Text(_));
        match text.trim_end() {
            "" => Ok(None),
            text if is_number && !text.bytes().all(|digit| digit.is_ascii_digit()) => Err(Problem::Account),
            text => text
                .parse()
                .map(|account: AccountSequence| Some(account.as_str().to_owned()))
                .map_err(|_| Problem::Account),
        }
    }

    /// Returns a status, also one that the source keeps as a number.
    fn status(&self) -> Result<Option<String>, Problem> {
        let text = self.in_words().ok_or(Problem::Text)?;
        match text.trim_end() {
            "" => Ok(None),
            text if text.chars().count() <= MAX_STATUS_CHARACTERS => Ok(Some(text.to_owned())),
            _ => Err(Problem::Text),
        }
    }

    /// Returns a region's code as text or number. An empty text is an unreadable one, which is counted.
    fn region(&self) -> Result<Option<String>, Problem> {
        let text = self.in_words().ok_or(Problem::Region)?;
        text.parse().map(|code: RegionCode| Some(code.as_str().to_owned())).map_err(|_| Problem::Region)
    }

    /// Returns the value in words: a text as it is, and the digits of a number, in whatever way the message writes it.
    fn in_words(&self) -> Option<Cow<'_, str>> {
        if let Some(digits) = decimal::number_in_bytes(&self.value, self.schema) {
            return Some(Cow::Owned(digits));
        }
        match &self.value {
            Scalar::Number(number) => Some(decimal::without_point(number)),
            Scalar::Text(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }
}

/// The longest status kept, in characters. The source's column holds 20.
const MAX_STATUS_CHARACTERS: usize = 64;

/// What Debezium writes for a value that PostgreSQL did not log because it is long and unchanged: as text, and as
/// the same bytes in base64 and in hexadecimal (`binary.handling.mode`).
const UNAVAILABLE: [&str; 3] = [
    "__debezium_unavailable_value",
    "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==",
    "5f5f646562657a69756d5f756e617661696c61626c655f76616c7565",
];

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn read(column: Column, json: &str) -> Option<Cell> {
        let raw: Box<RawValue> = serde_json::from_str(json).expect("JSON");
        let field = Field { name: Cow::Borrowed("column"), value: Scalar::of(&raw), schema: None };
        field.cell(column, &Encoding::default())
    }

    fn cell(column: Column, json: &str) -> Cell {
        read(column, json).expect("a column that is named")
    }

    fn value(text: &str) -> Cell {
        Cell::Value(text.to_owned())
    }

    fn unreadable(problem: Problem) -> Cell {
        Cell::Unreadable(Unreadable { column: "column".to_owned(), problem })
    }

    #[test]
    fn blanks_at_the_end_of_a_text_mean_nothing() {
        assert_eq!(cell(Column::Status, r#""PAID                ""#), value("PAID"));
        assert_eq!(cell(Column::Account, r#""D26010100004        ""#), value("D26010100004"));
        assert_eq!(cell(Column::Referrer, r#""         ""#), Cell::Null);
        assert_eq!(cell(Column::Province, r#""440000    ""#), value("440000"));
        assert_eq!(cell(Column::Status, r#""paid""#), value("paid"), "upper and lower case differ");
    }

    #[test]
    fn a_region_is_any_text_and_what_is_none_is_told_from_null() {
        for (json, text) in
            [(r#""CN-HN""#, "CN-HN"), (r#""湖南省""#, "湖南省"), (r#""n/a""#, "n/a"), ("110000", "110000")]
        {
            assert_eq!(cell(Column::City, json), value(text));
        }
        assert_eq!(cell(Column::City, "null"), Cell::Null);
        let long = format!("\"{}\"", "x".repeat(65));
        for json in [r#""""#, r#""   ""#, &long, "{}", "true"] {
            assert_eq!(cell(Column::City, json), unreadable(Problem::Region), "{json}");
        }
    }

    #[test]
    fn orders_are_exact_beyond_what_a_double_holds() {
        for json in ["9223372036854775807", r#""9223372036854775807""#] {
            assert_eq!(cell(Column::Order, json), value("9223372036854775807"));
        }
        assert_eq!(cell(Column::Order, "9007199254740993"), value("9007199254740993"));
        for json in ["0", "-1", "1.5", r#""x""#, "9223372036854775808", "true", "[]"] {
            assert_eq!(cell(Column::Order, json), unreadable(Problem::Order), "{json}");
        }
    }

    #[test]
    fn trees_outside_every_bound_are_readable_numbers() {
        for json in ["0", "-2", "4294967295", "1000001"] {
            assert_eq!(cell(Column::TreeCount, json), value(json));
        }
        for json in [r#""many""#, "2.5", "[]"] {
            assert_eq!(cell(Column::TreeCount, json), unreadable(Problem::WholeNumber), "{json}");
        }
    }

    #[test]
    fn a_value_the_connector_does_not_know_is_left_out() {
        for column in [Column::Account, Column::ContributionPerTree, Column::Status, Column::City] {
            for placeholder in UNAVAILABLE {
                assert_eq!(read(column, &format!("\"{placeholder}\"")), None);
            }
        }
    }

    #[test]
    fn accounts_and_statuses_may_be_numbers() {
        assert_eq!(cell(Column::Account, "26010100004"), value("26010100004"));
        assert_eq!(cell(Column::Status, "3"), value("3"));
        for json in ["1.5", "-1", "1e300", "9007199254740994.0", "true", "{}"] {
            assert_eq!(cell(Column::Account, json), unreadable(Problem::Account), "{json}");
        }
        assert_eq!(cell(Column::Status, "true"), unreadable(Problem::Text));
    }
    #[test]
    fn accounts_statuses_and_regions_may_be_decimals_in_every_encoding() {
        let schema = r#"{"type": "bytes", "parameters": {"scale": "0"}}"#;
        let schema: super::super::schema::Schema = serde_json::from_str(schema).expect("a schema");
        // Bytes whose base64 is an account, too, and a region.
        let bytes: Box<RawValue> = serde_json::from_str(r#""WvMQekAA""#).expect("JSON");
        let field = Field { name: Cow::Borrowed("column"), value: Scalar::of(&bytes), schema: Some(&schema) };
        for column in [Column::Account, Column::Referrer, Column::Status, Column::Province, Column::City] {
            let number = value("100000000000000");
            assert_eq!(field.cell(column, &Encoding::default()), Some(number.clone()));
            for json in [
                "100000000000000",
                "100000000000000.0",
                "1.0E14",
                r#""100000000000000  ""#,
                r#"{"scale": 0, "value": "WvMQekAA"}"#,
            ] {
                assert_eq!(cell(column, json), number, "{json}");
            }
            assert_eq!(cell(column, r#""WvMQekAA""#), value("WvMQekAA"), "nothing says that it is a number");
        }
    }
}
