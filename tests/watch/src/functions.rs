//! The functions of a Rust source, with their lengths.

use crate::tokens::tokens;

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of `fn`, from 1.
    pub line: usize,
    /// How many lines it has, from `fn` to its closing brace.
    pub lines: usize,
}

/// Returns the functions of a Rust source, nested ones included.
#[must_use]
pub fn functions(source: &str) -> Vec<Function> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let named = pair[1].text.starts_with(|first: char| first.is_alphabetic() || first == '_');
        if pair[0].text != "fn" || !named {
            continue;
        }
        let mut depth = 0;
        let mut body = false;
        for token in &tokens[at + 2..] {
            match token.text.as_str() {
                // A declaration without a body, in a trait.
                ";" if depth == 0 => break,
                "(" | "[" => depth += 1,
                "{" => {
                    body |= depth == 0;
                    depth += 1;
                }
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if body && depth == 0 {
                let lines = token.line - pair[0].line + 1;
                found.push(Function { name: pair[1].text.clone(), line: pair[0].line, lines });
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_ends_with_the_brace_that_closes_its_body() {
        let source =
            "trait T {\n fn declared(x: [u8; 2]);\n}\nfn outer() -> (u8, u8) {\n fn inner() {}\n \"}\";\n}\n";
        let found: Vec<_> = functions(source).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(found, [("outer".to_owned(), 4, 4), ("inner".to_owned(), 5, 1)]);
    }
}
