//! Comma-separated values that a spreadsheet reads as what they are.

use std::fmt::Display;

/// Characters at the beginning of a cell that make a spreadsheet compute it.
const FORMULA_MARKS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A file of comma-separated values.
#[derive(Debug, Default)]
pub(crate) struct Csv(String);

impl Csv {
    /// Adds a row of texts. A text that a spreadsheet would compute is marked as text.
    pub(crate) fn texts<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        let cells: Vec<String> = cells.into_iter().map(text_cell).collect();
        self.0.push_str(&cells.join(","));
        self.0.push('\n');
    }

    /// Adds a row of cells that were made by [`text_cell`] or [`number_cell`].
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        self.0.push_str(&cells.join(","));
        self.0.push('\n');
    }

    /// Returns the file.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Returns a cell of text, quoted where it has to be.
pub(crate) fn text_cell(text: &str) -> String {
    let safe = if text.starts_with(FORMULA_MARKS) { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

/// Returns a cell of a number: plain digits, a minus sign where it is negative.
pub(crate) fn number_cell(number: impl Display) -> String {
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_formula_and_numbers_stay_numbers() {
        let mut csv = Csv::default();
        csv.texts(["account", "=1+1", "+A1", "-7", "@SUM", "a,b", "say \"x\""]);
        csv.row([text_cell("-D1"), number_cell("-12.5000000000")]);
        assert_eq!(
            csv.finish(),
            "account,'=1+1,'+A1,'-7,'@SUM,\"a,b\",\"say \"\"x\"\"\"\n'-D1,-12.5000000000\n"
        );
    }
}
