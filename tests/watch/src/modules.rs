//! The modules of a crate, and which of them names something of which other.

use std::collections::{BTreeMap, BTreeSet};

use crate::Repository;
use crate::tokens::{Token, tokens};

/// A module's path in its crate; empty for the root.
type Path = Vec<String>;

/// The modules of a crate.
#[derive(Debug, Default)]
pub struct Modules {
    modules: BTreeMap<Path, Module>,
}

#[derive(Debug, Default)]
struct Module {
    /// Paths that it names, relative to itself as they stand, with `crate`, `self` and `super`.
    named: BTreeSet<Path>,
    /// What it hands on under a name of its own, and where that comes from.
    handed_on: BTreeMap<String, Path>,
    /// The modules whose names it hands on altogether.
    handed_on_all: Vec<Path>,
    /// The names that it defines itself.
    defined: BTreeSet<String>,
}

impl Modules {
    /// Reads the modules of the library in a folder. What is compiled for tests alone is left out.
    #[must_use]
    pub fn of_library(repository: &Repository, folder: &str) -> Self {
        let mut modules = Self::default();
        modules.add(repository, &format!("{folder}/src"), "lib.rs", &[]);
        modules
    }

    fn add(&mut self, repository: &Repository, folder: &str, file: &str, path: &[String]) {
        let tokens = without_tests(&tokens(&repository.text(&format!("{folder}/{file}"))));
        let (module, children) = read_module(&tokens);
        self.modules.insert(path.to_vec(), module);
        let below = match file {
            "lib.rs" | "mod.rs" => folder.to_owned(),
            named => format!("{folder}/{}", named.trim_end_matches(".rs")),
        };
        for child in children {
            let path = [path, std::slice::from_ref(&child)].concat();
            if repository.has(&format!("{below}/{child}.rs")) {
                self.add(repository, &below, &format!("{child}.rs"), &path);
            } else if repository.has(&format!("{below}/{child}/mod.rs")) {
                self.add(repository, &format!("{below}/{child}"), "mod.rs", &path);
            }
        }
    }

    /// Returns, for each module, the modules that it names something of.
    ///
    /// A name that a module only hands on counts for the module that defines it. A module below another is a part of
    /// it, put into a file of its own, so what a module names of those above itself does not count.
    #[must_use]
    pub fn imports(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut imports = BTreeMap::new();
        for (path, module) in &self.modules {
            let found = module.named.iter().filter_map(|named| self.owner(path, named, 0));
            let others = found.filter(|owner| !path.starts_with(owner)).map(|owner| shown(&owner)).collect();
            imports.insert(shown(path), others);
        }
        imports
    }

    /// Returns the circles among the imports, each as the modules it consists of.
    #[must_use]
    pub fn circles(&self) -> Vec<BTreeSet<String>> {
        let imports = self.imports();
        let reached: BTreeMap<&String, BTreeSet<String>> =
            imports.keys().map(|from| (from, reach(&imports, from))).collect();
        let mut circles = BTreeSet::new();
        for (from, reached_from) in &reached {
            let circle: BTreeSet<String> =
                reached_from.iter().filter(|to| reached[*to].contains(*from)).cloned().collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// Returns the module that defines what `named` stands for in the module `from`.
    fn owner(&self, from: &[String], named: &[String], depth: usize) -> Option<Path> {
        if depth > 20 {
            return None;
        }
        let mut at = from.to_vec();
        let mut rest = named;
        match rest.first()?.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop();
            }
            _ if self.modules.contains_key(&[&at[..], &rest[..1]].concat()) => {
                at.push(rest[0].clone());
            }
            first => {
                // A name that this module imported, and goes on from.
                let source = self.modules.get(&at)?.handed_on.get(first)?;
                return self.owner(&at, &[&source[..], &rest[1..]].concat(), depth + 1);
            }
        }
        rest = &rest[1..];
        loop {
            let Some(first) = rest.first() else { return Some(at) };
            if first == "super" {
                at.pop();
            } else if self.modules.contains_key(&[&at[..], &rest[..1]].concat()) {
                at.push(first.clone());
            } else {
                break;
            }
            rest = &rest[1..];
        }
        let module = &self.modules[&at];
        if module.defined.contains(&rest[0]) {
            return Some(at);
        }
        if let Some(source) = module.handed_on.get(&rest[0]) {
            return self.owner(&at, source, depth + 1);
        }
        let all = module.handed_on_all.iter().filter_map(|source| {
            let owner = self.owner(&at, source, depth + 1)?;
            self.modules[&owner].defined.contains(&rest[0]).then_some(owner)
        });
        all.into_iter().next().or(Some(at))
    }
}

fn reach(imports: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(next) = open.pop() {
        for to in imports.get(&next).into_iter().flatten() {
            if reached.insert(to.clone()) {
                open.push(to.clone());
            }
        }
    }
    reached
}

fn shown(path: &[String]) -> String {
    if path.is_empty() { "crate".to_owned() } else { path.join("::") }
}

/// Leaves out each item below `#[cfg(test)]`, and the like with `test` in it.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let text = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.text.as_str());
        if (text(0), text(1), text(2), text(3)) == ("#", "[", "cfg", "(") {
            let close = closing(tokens, at + 1);
            if tokens[at..close].iter().any(|token| token.text == "test") {
                at = end_of_item(tokens, close + 1);
                continue;
            }
        }
        kept.push(tokens[at].clone());
        at += 1;
    }
    kept
}

/// Returns the place of the bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// Returns the place after the item that begins at `start`.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" => return closing(tokens, at) + 1,
            "(" | "[" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
    at
}

/// Reads what a module names, hands on and defines, and which modules it has in files of their own.
fn read_module(tokens: &[Token]) -> (Module, Vec<String>) {
    let mut module = Module::default();
    let mut children = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let text = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.text.as_str());
        match text(0) {
            "use" => {
                let end = (at..tokens.len()).find(|end| tokens[*end].text == ";").unwrap_or(tokens.len());
                let public = at > 0 && matches!(tokens[at - 1].text.as_str(), "pub" | ")");
                for (path, name) in use_paths(&tokens[at + 1..end]) {
                    if name == "*" {
                        module.handed_on_all.push(path.clone());
                    } else {
                        module.handed_on.insert(name, path.clone());
                    }
                    if !public {
                        module.named.insert(path);
                    }
                }
                at = end;
            }
            "mod" if text(2) == ";" => children.push(text(1).to_owned()),
            "struct" | "enum" | "trait" | "type" | "const" | "static" | "fn" | "union" => {
                module.defined.insert(text(1).to_owned());
            }
            word if text(1) == "::" && (at == 0 || tokens[at - 1].text != "::") && is_word(word) => {
                let mut path = vec![word.to_owned()];
                while tokens.get(at + 1).is_some_and(|token| token.text == "::")
                    && tokens.get(at + 2).is_some_and(|token| is_word(&token.text))
                {
                    path.push(tokens[at + 2].text.clone());
                    at += 2;
                }
                module.named.insert(path);
            }
            _ => {}
        }
        at += 1;
    }
    (module, children)
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Returns each path of a `use`, with the name it gets.
fn use_paths(tokens: &[Token]) -> Vec<(Path, String)> {
    let mut found = Vec::new();
    let mut prefix: Path = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "::" => {}
            "{" => {
                let close = closing(tokens, at);
                for part in split_by_comma(&tokens[at + 1..close]) {
                    for (path, name) in use_paths(part) {
                        let whole =
                            if path == ["self"] { prefix.clone() } else { [&prefix[..], &path[..]].concat() };
                        let name =
                            if name == "self" { prefix.last().cloned().unwrap_or_default() } else { name };
                        found.push((whole, name));
                    }
                }
                return found;
            }
            "*" => {
                found.push((prefix, "*".to_owned()));
                return found;
            }
            "as" => {
                let name = tokens.get(at + 1).map_or_else(String::new, |token| token.text.clone());
                found.push((prefix, name));
                return found;
            }
            word => prefix.push(word.to_owned()),
        }
        at += 1;
    }
    if let Some(name) = prefix.last().cloned() {
        found.push((prefix, name));
    }
    found
}

fn split_by_comma(tokens: &[Token]) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "{" => at = closing(tokens, at),
            "," => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(&tokens[start..]);
    parts
}
