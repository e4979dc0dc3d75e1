//! Rust source as tokens, without comments and without what literals contain.

/// A word, a number, a mark, or `""` for a text literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What stands there. `::` is one token; every other mark is one character.
    pub text: String,
    /// The line it begins in, from 1.
    pub line: usize,
}

/// Returns the tokens of a Rust source.
#[must_use]
pub fn tokens(source: &str) -> Vec<Token> {
    let mut reader = Reader { text: source.as_bytes(), at: 0, line: 1 };
    let mut tokens = Vec::new();
    loop {
        reader.skip_blanks_and_comments();
        if reader.at >= reader.text.len() {
            return tokens;
        }
        let line = reader.line;
        if let Some(text) = reader.take() {
            tokens.push(Token { text, line });
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn step(&mut self) {
        if self.peek(0) == b'\n' {
            self.line += 1;
        }
        self.at += 1;
    }

    fn skip_blanks_and_comments(&mut self) {
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (blank, _) if blank.is_ascii_whitespace() => self.step(),
                (b'/', b'/') => {
                    while self.at < self.text.len() && self.peek(0) != b'\n' {
                        self.step();
                    }
                }
                (b'/', b'*') => self.skip_block_comment(),
                _ => return,
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {
                    self.step();
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    /// Takes one token; nothing for a lifetime.
    fn take(&mut self) -> Option<String> {
        if self.skip_raw_text() {
            return Some("\"\"".to_owned());
        }
        match self.peek(0) {
            b'"' => {
                self.skip_quoted(b'"');
                Some("\"\"".to_owned())
            }
            b'\'' => {
                // A character is closed after one character or an escape; a lifetime is not.
                let character =
                    std::str::from_utf8(&self.text[self.at + 1..]).ok().and_then(|rest| rest.chars().next());
                let width = character.map_or(1, char::len_utf8);
                if self.peek(1) == b'\\' || self.peek(1 + width) == b'\'' {
                    self.skip_quoted(b'\'');
                    return Some("\"\"".to_owned());
                }
                self.step();
                self.take_word();
                None
            }
            first if first.is_ascii_alphanumeric() || first == b'_' || first >= 0x80 => {
                Some(self.take_word())
            }
            b':' if self.peek(1) == b':' => {
                self.at += 2;
                Some("::".to_owned())
            }
            mark => {
                self.step();
                Some(char::from(mark).to_string())
            }
        }
    }

    fn take_word(&mut self) -> String {
        let start = self.at;
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' || self.peek(0) >= 0x80 {
            self.step();
        }
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }

    fn skip_quoted(&mut self, quote: u8) {
        self.step();
        while self.at < self.text.len() && self.peek(0) != quote {
            if self.peek(0) == b'\\' {
                self.step();
            }
            self.step();
        }
        self.step();
    }

    /// Skips `r"…"`, `r#"…"#`, `br"…"` and the like, and `b"…"`; returns whether there was one.
    fn skip_raw_text(&mut self) -> bool {
        let prefix = usize::from(self.peek(0) == b'b');
        if prefix == 1 && matches!(self.peek(1), b'"' | b'\'') {
            self.step();
            self.skip_quoted(self.peek(0));
            return true;
        }
        if self.peek(prefix) != b'r' {
            return false;
        }
        let rest = self.text.get(self.at + prefix + 1..).unwrap_or_default();
        let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
        if self.peek(prefix + 1 + hashes) != b'"' {
            return false;
        }
        self.at += prefix + 2 + hashes;
        while self.at < self.text.len() {
            let closes = self.peek(0) == b'"' && (1..=hashes).all(|ahead| self.peek(ahead) == b'#');
            self.step();
            if closes {
                self.at += hashes;
                return true;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_lifetimes_and_what_literals_contain_are_left_out() {
        let source = r##"fn a<'x>(b: &'x str) { /* { /* nested */ */ let c = '{'; d::e("}\"", r#"{"#, b'\''); } // {"##;
        assert_eq!(
            texts(source),
            [
                "fn", "a", "<", ">", "(", "b", ":", "&", "str", ")", "{", "let", "c", "=", "\"\"", ";", "d",
                "::", "e", "(", "\"\"", ",", "\"\"", ",", "\"\"", ")", ";", "}"
            ]
        );
    }

    #[test]
    fn lines_are_counted_through_comments_and_literals() {
        let found = tokens("a\n/*\n*/ b \"\n\" c");
        assert_eq!(found.iter().map(|token| token.line).collect::<Vec<_>>(), [1, 3, 3, 4]);
    }
}
