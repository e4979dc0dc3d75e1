//! Splits an expression into tokens.

use crate::error::ServiceError;

/// The smallest meaningful part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or a keyword.
    Word(String),
    /// A placeholder of a name, with its `#`.
    NameReference(String),
    /// A placeholder of a value, with its `:`.
    ValueReference(String),
    /// A whole number: the index of a list.
    Index(usize),
    /// Punctuation or an operator.
    Symbol(&'static str),
}

const SYMBOLS: [&str; 14] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "+", "-"];

/// Returns the tokens of an expression.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ServiceError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            tokens.push(Token::Symbol(symbol));
            symbol.len()
        } else {
            let length = first.len_utf8()
                + rest[first.len_utf8()..]
                    .find(|next| !is_part_of_word(next))
                    .unwrap_or(rest.len() - first.len_utf8());
            tokens.push(word(first, &rest[..length])?);
            length
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn word(first: char, text: &str) -> Result<Token, ServiceError> {
    match first {
        '#' if text.len() > 1 => Ok(Token::NameReference(text.to_owned())),
        ':' if text.len() > 1 => Ok(Token::ValueReference(text.to_owned())),
        '0'..='9' => text.parse().map(Token::Index).map_err(|_| syntax_error(text)),
        _ if first == '_' || first.is_ascii_alphabetic() => Ok(Token::Word(text.to_owned())),
        _ => Err(syntax_error(text)),
    }
}

fn is_part_of_word(character: char) -> bool {
    character == '_' || character.is_ascii_alphanumeric()
}

/// Returns the error of an expression that has `near` where it may not be.
pub(super) fn syntax_error(near: &str) -> ServiceError {
    ServiceError::validation(format!("Invalid expression: Syntax error; near: \"{near}\""))
}
