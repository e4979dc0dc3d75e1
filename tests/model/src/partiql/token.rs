//! Splits a statement into tokens.

use crate::error::ServiceError;

/// The smallest meaningful part of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a bare name.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// A number as it was written.
    Number(String),
    /// Punctuation or an operator.
    Symbol(&'static str),
}

const SYMBOLS: [&str; 22] = [
    "<<", ">>", "<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", "{", "}", ",", ".", "+", "-", "*",
    "?", ":",
];

/// Returns the tokens of a statement.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ServiceError> {
    let mut tokens = Vec::new();
    let mut rest = skipped(text)?;
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(first, rest)?;
        tokens.push(token);
        rest = skipped(&rest[length..])?;
    }
    Ok(tokens)
}

/// Returns what comes after blanks and comments.
fn skipped(text: &str) -> Result<&str, ServiceError> {
    let mut rest = text.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.find('\n').map_or("", |end| &comment[end..])
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let end = comment.find("*/").ok_or_else(|| malformed(rest))?;
            &comment[end + 2..]
        } else {
            return Ok(rest);
        };
        rest = after.trim_start();
    }
}

fn next(first: char, rest: &str) -> Result<(Token, usize), ServiceError> {
    let begins_number = |text: &str| text.starts_with(|digit: char| digit.is_ascii_digit());
    if begins_number(rest.strip_prefix('.').unwrap_or(rest)) {
        let length = number_length(rest);
        return Ok((Token::Number(rest[..length].to_owned()), length));
    }
    if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
        return Ok((Token::Symbol(symbol), symbol.len()));
    }
    let length = |is_part: fn(char) -> bool| rest.find(|part| !is_part(part)).unwrap_or(rest.len());
    match first {
        '\'' => quoted(rest, '\'').map(|(text, length)| (Token::Text(text), length)),
        '"' => quoted(rest, '"').map(|(text, length)| (Token::Quoted(text), length)),
        _ if first == '_' || first.is_ascii_alphabetic() => {
            let length = length(|part| part.is_ascii_alphanumeric() || part == '_');
            Ok((Token::Word(rest[..length].to_owned()), length))
        }
        _ => Err(malformed(rest)),
    }
}

/// Returns how long a number is; what follows an `e` may have a sign.
fn number_length(rest: &str) -> usize {
    let mut after_exponent = false;
    rest.find(|part: char| {
        let belongs =
            part.is_ascii_alphanumeric() || part == '.' || (after_exponent && matches!(part, '+' | '-'));
        after_exponent = matches!(part, 'e' | 'E');
        !belongs
    })
    .unwrap_or(rest.len())
}

/// Reads a quoted text, in which the doubled quote stands for itself, and how long it is with its quotes.
fn quoted(rest: &str, quote: char) -> Result<(String, usize), ServiceError> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((position, character)) = characters.next() {
        if character != quote {
            text.push(character);
        } else if characters.next_if(|(_, following)| *following == quote).is_some() {
            text.push(quote);
        } else {
            return Ok((text, position + 1));
        }
    }
    Err(malformed(rest))
}

/// Returns the error of a statement that has `near` where it may not be.
pub(super) fn malformed(near: &str) -> ServiceError {
    ServiceError::validation(format!("Statement wasn't well formed, can't be processed: near {near}"))
}
