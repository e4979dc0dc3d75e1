//! A Markdown document: its links, its headings, and what it sets as code.

use std::collections::BTreeSet;

/// Returns the target of each link outside of code blocks.
#[must_use]
pub fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in outside_of_blocks(text) {
        let mut rest = line;
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            found.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    found
}

/// Returns the anchors of a document: those that its headings get, and those that it sets itself.
#[must_use]
pub fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in outside_of_blocks(text) {
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
        if let Some((_, rest)) = line.split_once("<a id=\"") {
            found.extend(rest.split('"').next().map(str::to_owned));
        }
    }
    found
}

/// Returns what is set as code within lines.
#[must_use]
pub fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let prose = outside_of_blocks(text).collect::<Vec<_>>().join("\n");
    for (place, part) in prose.split('`').enumerate() {
        if place % 2 == 1 {
            found.push(part.replace('\n', " "));
        }
    }
    found
}

/// Returns the words of what is set as code within lines.
#[must_use]
pub fn quoted_words(text: &str) -> Vec<String> {
    let quoted = quoted(text);
    let words = quoted.iter().flat_map(|code| code.split_whitespace());
    words.map(|word| word.trim_matches(|c| "(),:;\"'".contains(c)).to_owned()).collect()
}

/// Returns the words of a text, as code has them: letters, digits and underscores.
#[must_use]
pub fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Returns the path from the root on of a path that `file` names from its own place on.
#[must_use]
pub fn beside(file: &str, path: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn outside_of_blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# A `b` (c)\n[x](../y.md#z) `one two`\n```sh\n`three` [w](w)\n```\n<a id=\"own\"></a>\n";

    #[test]
    fn blocks_are_left_out() {
        assert_eq!(links(TEXT), ["../y.md#z"]);
        assert_eq!(quoted(TEXT), ["b", "one two"]);
        assert_eq!(quoted_words(TEXT), ["b", "one", "two"]);
    }

    #[test]
    fn a_heading_is_an_anchor_without_its_marks() {
        assert_eq!(anchors(TEXT), ["a-b-c".to_owned(), "own".to_owned()].into());
    }

    #[test]
    fn a_path_is_taken_from_its_document_on() {
        assert_eq!(beside("docs/decisions/README.md", "../refused.md"), "docs/refused.md");
        assert_eq!(beside("README.md", "./docs/"), "docs");
    }
}
