//! Tables of text, aligned.

/// How the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Texts, at the left.
    Left,
    /// Numbers, at the right.
    Right,
    /// Amounts: their points stand below each other, with as few zeros at their ends as that takes, but two decimals.
    Amount,
}

/// A table.
#[derive(Debug, Clone)]
pub struct TextTable {
    headings: Vec<String>,
    sides: Vec<Side>,
    rows: Vec<Vec<String>>,
}

/// The fewest decimals of an amount.
const DECIMALS_MIN: usize = 2;

impl TextTable {
    /// Returns a table with these columns and no row.
    #[must_use]
    pub fn new<const COLUMNS: usize>(columns: [(&str, Side); COLUMNS]) -> Self {
        let (headings, sides) = columns.into_iter().map(|(heading, side)| (heading.to_owned(), side)).unzip();
        Self { headings, sides, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// If it has more or fewer cells than there are columns.
    pub fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        assert_eq!(self.headings.len(), COLUMNS, "a row has a cell for each column");
        self.rows.push(cells.into());
    }

    /// Returns whether it has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns its lines, the headings first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut rows = self.rows.clone();
        for column in self.columns_of(Side::Amount) {
            let decimals = rows.iter().map(|row| decimals(&row[column])).max().unwrap_or_default();
            for row in &mut rows {
                row[column] = with_decimals(&row[column], decimals.max(DECIMALS_MIN));
            }
        }
        let all: Vec<&Vec<String>> = std::iter::once(&self.headings).chain(&rows).collect();
        let widths: Vec<usize> = (0..self.sides.len())
            .map(|column| all.iter().map(|row| width(&row[column])).max().unwrap_or_default())
            .collect();
        all.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn columns_of(&self, wanted: Side) -> Vec<usize> {
        (0..self.sides.len()).filter(|column| self.sides[*column] == wanted).collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells = row.iter().zip(&self.sides).zip(widths).map(|((cell, side), wanted)| {
            let space = " ".repeat(wanted.saturating_sub(width(cell)));
            match side {
                Side::Left => format!("{cell}{space}"),
                Side::Right | Side::Amount => format!("{space}{cell}"),
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// Returns how many decimals say something.
fn decimals(amount: &str) -> usize {
    amount.split_once('.').map_or(0, |(_, fraction)| fraction.trim_end_matches('0').len())
}

/// Returns an amount with so many decimals, of which it needs no more.
fn with_decimals(amount: &str, decimals: usize) -> String {
    match amount.split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{:0<decimals$}", fraction.trim_end_matches('0')),
        None => amount.to_owned(),
    }
}

/// Returns an amount without the zeros at its end that say nothing; two decimals stay.
#[must_use]
pub(super) fn plain_amount(amount: &str) -> String {
    with_decimals(amount, decimals(amount).max(DECIMALS_MIN))
}

/// Returns how many columns of a terminal a text takes: Chinese letters take two.
#[must_use]
pub(crate) fn width(text: &str) -> usize {
    let is_wide = |letter: &char| matches!(letter, '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FF60}');
    text.chars().count() + text.chars().filter(is_wide).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_amounts_stand_below_each_other_and_columns_align_in_chinese() {
        let mut table = TextTable::new([("账户", Side::Left), ("amount", Side::Amount), ("n", Side::Right)]);
        let row = |cells: [&str; 3]| cells.map(ToOwned::to_owned);
        table.row(row(["D1", "11534.6700000000", "5"]));
        table.row(row(["PROVINCE:440000", "-0.1250000000", "100"]));
        table.row(row(["广东省", "-", "7"]));
        assert_eq!(
            table.lines(),
            [
                "账户                amount    n",
                "D1               11534.670    5",
                "PROVINCE:440000     -0.125  100",
                "广东省                   -    7",
            ]
        );
    }

    #[test]
    fn an_amount_keeps_every_digit_that_says_something() {
        assert_eq!(plain_amount("11534.6700000000"), "11534.67");
        assert_eq!(plain_amount("7.0000000000"), "7.00");
        assert_eq!(plain_amount("0.0000000001"), "0.0000000001");
    }
}
