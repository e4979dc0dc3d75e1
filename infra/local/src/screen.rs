//! Answers for a person to read: titles, pairs and tables, in Chinese or English, with colour on a terminal.

mod table;

use std::fmt::Display;
use std::io::IsTerminal;

use serde_json::Value;

use crate::language::Language;

pub(crate) use table::width;
pub use table::{Side, TextTable};

/// Columns of a pair's name.
const NAME_WIDTH: usize = 26;

/// How a text is coloured: whether it is good, bad or neutral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Worth a look.
    Attention,
    /// Something is wrong.
    Bad,
}

/// Text that is put together.
#[derive(Debug)]
pub struct Screen {
    text: String,
    /// The language of what is written.
    pub language: Language,
    has_colour: bool,
}

impl Screen {
    /// Returns an empty screen for standard output, as the environment asks for it.
    #[must_use]
    pub fn new() -> Self {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            text: String::new(),
            language: Language::of_environment(),
            has_colour: !is_plain && std::io::stdout().is_terminal(),
        }
    }

    /// Returns the text in the language of the screen.
    #[must_use]
    pub fn say<T>(&self, english: T, chinese: T) -> T {
        self.language.say(english, chinese)
    }

    /// Returns the text as it stands out on a terminal.
    #[must_use]
    pub fn toned(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Attention => "33",
            Tone::Bad => "31",
        };
        self.painted(code, text)
    }

    /// Writes the title of what follows.
    pub fn title(&mut self, text: &str) {
        let text = self.painted("1", text);
        self.line(&text);
    }

    /// Writes a line.
    pub fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    /// Writes a name and its value.
    pub fn pair(&mut self, name: &str, value: impl Display) {
        let space = NAME_WIDTH.saturating_sub(table::width(name)).max(1);
        self.line(&format!("  {name}{:space$}{value}", ""));
    }

    /// Writes a table, or a line that says that there is nothing.
    pub fn table(&mut self, table: &TextTable, nothing: &str) {
        if table.is_empty() {
            self.line(&format!("  {nothing}"));
            return;
        }
        for (number, line) in table.lines().iter().enumerate() {
            let line = if number == 0 { self.painted("2", line) } else { line.clone() };
            self.line(&format!("  {line}"));
        }
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.has_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

impl Display for Screen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Returns a value of an answer as text; a dash where there is none.
#[must_use]
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Returns an amount of an answer, without the zeros at its end that say nothing.
#[must_use]
pub fn amount(value: &Value) -> String {
    table::plain_amount(&text(value))
}

/// Returns an instant of an answer without the fractions of its second.
#[must_use]
pub fn instant(value: &Value) -> String {
    let text = text(value);
    match text.split_once('.') {
        Some((seconds, _)) if text.ends_with('Z') => format!("{seconds}Z"),
        _ => text,
    }
}

/// Returns the entries of a list.
#[must_use]
pub fn entries(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}
