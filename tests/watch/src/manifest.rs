//! A `Cargo.toml`, as far as layers, dependencies and targets are concerned.

use crate::Repository;

/// The name of a crate and what it depends on.
#[derive(Debug, Default)]
pub struct Manifest {
    /// The folder that holds it.
    pub folder: String,
    /// The crate's name.
    pub name: String,
    /// What its library needs, optional dependencies included; nothing that only its tests need.
    pub dependencies: Vec<String>,
    /// What only its tests and examples need.
    pub dev_dependencies: Vec<String>,
    /// Whether `cargo test` leaves out the tests inside the library.
    pub has_no_tests_inside: bool,
    /// Whether `cargo test` leaves out the library's documentation.
    pub has_no_doctests: bool,
}

impl Manifest {
    /// Reads the manifests of all crates of the workspace.
    #[must_use]
    pub fn all(repository: &Repository) -> Vec<Self> {
        let manifests = repository.files().iter().filter_map(|file| {
            let folder = file.strip_suffix("/Cargo.toml")?;
            Some(parse(folder, &repository.text(file)))
        });
        manifests.collect()
    }
}

fn parse(folder: &str, text: &str) -> Manifest {
    let mut manifest = Manifest { folder: folder.to_owned(), ..Manifest::default() };
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let key: String = line.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
        match section {
            "[package]" if key == "name" => {
                line.split('"').nth(1).expect("a name in quotes").clone_into(&mut manifest.name);
            }
            "[dependencies]" if !key.is_empty() => manifest.dependencies.push(key),
            "[dev-dependencies]" if !key.is_empty() => manifest.dev_dependencies.push(key),
            "[lib]" if line == "test = false" => manifest.has_no_tests_inside = true,
            "[lib]" if line == "doctest = false" => manifest.has_no_doctests = true,
            _ => {}
        }
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_tests_need_is_left_out() {
        let text = "[package]\nname = \"a\"\n[lib]\ndoctest = false\n[dependencies]\n# b is c\nb-c.workspace = true\nd = { version = \"1\" }\n\
                    [dev-dependencies]\ne = \"1\"\n";
        let manifest = parse("x/a", text);
        assert_eq!(
            (manifest.name.as_str(), manifest.dependencies),
            ("a", vec!["b-c".to_owned(), "d".to_owned()])
        );
        assert_eq!(manifest.dev_dependencies, ["e"]);
        assert!(manifest.has_no_doctests && !manifest.has_no_tests_inside);
    }
}
