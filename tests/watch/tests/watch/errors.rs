//! An error says its cause once. Its own text has all of it, because logs have that text alone; so it names no source
//! besides, which the command line would print after it. An error that is its cause passes it on: `transparent`.

use watch::{Repository, Token, tokens};

#[test]
fn an_error_says_its_cause_once() {
    let repository = Repository::read();
    let (mut checked, mut wrong) = (0, Vec::new());
    for file in repository.with_extension(&["rs"]) {
        let (count, twice) = said_twice(&repository.text(file));
        checked += count;
        wrong.extend(twice.into_iter().map(|line| format!("{file}:{line}")));
    }
    assert!(wrong.is_empty(), "have no #[from], #[source] or field `source` here:\n{}", wrong.join("\n"));
    assert!(checked > 150, "{checked} texts of errors");
}

/// Returns how many texts of errors a source has, and the lines in which an error has a text and a source.
fn said_twice(source: &str) -> (usize, Vec<usize>) {
    let tokens = tokens(source);
    let (mut count, mut lines) = (0, Vec::new());
    for (at, _) in tokens.windows(4).enumerate().filter(|(_, window)| is(window, &["#", "[", "error", "("])) {
        if tokens[at + 4].text == "transparent" {
            continue;
        }
        count += 1;
        let of_variant = variant(&tokens[at + 4..]);
        let sources = of_variant.windows(2).filter(|window| {
            is(window, &["[", "from"]) || is(window, &["[", "source"]) || is(window, &["source", ":"])
        });
        lines.extend(sources.map(|window| window[0].line));
    }
    (count, lines)
}

/// Returns the rest of a variant or struct that begins within its attribute.
fn variant(tokens: &[Token]) -> &[Token] {
    let mut depth = 2_i32;
    let mut is_past_attribute = false;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        is_past_attribute |= depth == 0;
        // The mark behind a variant, behind a struct, or the end of the enumeration.
        let ends = depth < 0 || depth == 0 && [",", ";", "}"].contains(&token.text.as_str());
        if is_past_attribute && ends {
            return &tokens[..at];
        }
    }
    tokens
}

fn is(window: &[Token], texts: &[&str]) -> bool {
    window.iter().map(|token| &token.text).eq(texts)
}

#[test]
fn a_text_beside_a_source_is_found() {
    for (source, expected) in [
        ("enum E { #[error(\"no {0}\")] A(#[from] B), #[error(transparent)] C(#[from] D) }", 1),
        ("enum E { #[error(\"no {f:?}\", f())] A { source: B }, C { source: D } }", 1),
        ("#[error(\"no\")] struct E { a: u8, #[source] b: B } struct F { source: B }", 1),
        ("enum E { #[error(\"no {0}\")] A(B), #[error(transparent)] C { source: D } }", 0),
        ("#[error(\"no\")] struct E(u8); struct F { source: B }", 0),
    ] {
        assert_eq!(said_twice(source).1.len(), expected, "{source}");
    }
}
