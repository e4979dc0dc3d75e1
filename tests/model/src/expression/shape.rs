//! What is refused of an expression for its tokens alone: too many operators, and parentheses that do nothing.

use super::token::Token;
use crate::error::ServiceError;

/// How many operators and functions an expression may contain together.
const MAX_OPERATORS: usize = 300;
/// Words after which a parenthesis begins no call of a function.
const KEYWORDS: [&str; 4] = ["AND", "OR", "NOT", "BETWEEN"];

/// Refuses a condition with too many operators. The `AND` of a `BETWEEN` stands for both words.
pub(super) fn check_operators_of_condition(tokens: &[Token]) -> Result<(), ServiceError> {
    let is_operator = |token: &Token| match token {
        Token::Symbol(symbol) => ["=", "<>", "<", "<=", ">", ">="].contains(symbol),
        Token::Word(word) => {
            ["AND", "OR", "NOT", "IN"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
        }
        _ => false,
    };
    check_count(tokens.iter().filter(|token| is_operator(token)).count() + calls(tokens))
}

/// Refuses an update with too many operators; its equals signs are none.
pub(super) fn check_operators_of_update(tokens: &[Token]) -> Result<(), ServiceError> {
    let signs = tokens.iter().filter(|token| matches!(token, Token::Symbol("+" | "-"))).count();
    check_count(signs + calls(tokens))
}

/// Refuses parentheses around nothing but other parentheses.
pub(super) fn refuse_redundant_parentheses(tokens: &[Token]) -> Result<(), ServiceError> {
    let mut open: Vec<usize> = Vec::new();
    // Where the last pair that was closed began, and where it ended.
    let mut last = None;
    for (position, token) in tokens.iter().enumerate() {
        match token {
            Token::Symbol("(") => open.push(position),
            Token::Symbol(")") => {
                let Some(begin) = open.pop() else { return Ok(()) };
                let groups = begin.checked_sub(1).is_none_or(|before| !takes_list(&tokens[before]));
                if groups && last == Some((begin + 1, position.wrapping_sub(1))) {
                    return Err(ServiceError::validation(
                        "Invalid expression: The expression has redundant parentheses;",
                    ));
                }
                last = Some((begin, position));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns whether a parenthesis after this token begins the operands of a function or of an `IN`.
fn takes_list(token: &Token) -> bool {
    matches!(token, Token::Word(word) if !KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)))
}

fn calls(tokens: &[Token]) -> usize {
    let is_call = |pair: &&[Token]| matches!(pair, [word, Token::Symbol("(")] if takes_list(word) && !matches!(word, Token::Word(word) if word.eq_ignore_ascii_case("IN")));
    tokens.windows(2).filter(is_call).count()
}

fn check_count(operators: usize) -> Result<(), ServiceError> {
    if operators > MAX_OPERATORS {
        return Err(ServiceError::validation(format!(
            "Invalid expression: The expression contains too many operators; operator count: {operators}"
        )));
    }
    Ok(())
}
