//! Reads the files of the repository, without the folders that tools make.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what tools made.
const MADE_BY_TOOLS: [&str; 5] = [".git", "target", "node_modules", "data", "logs"];

/// The repository that the tests of this crate run in.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    files: Vec<String>,
}

impl Repository {
    /// Reads which files there are.
    #[must_use]
    pub fn read() -> Self {
        // Cargo says where the crate is that it runs. That may be a copy of the repository, as in the walks, for which
        // Cargo takes what it compiled for another copy.
        let compiled_in = env!("CARGO_MANIFEST_DIR");
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| compiled_in.to_owned());
        let root = Path::new(&folder).ancestors().nth(2).expect("this crate is two folders down").to_owned();
        let mut files = Vec::new();
        collect(&root, &root, &mut files);
        files.sort();
        Self { root, files }
    }

    /// Returns the paths of all files from the root on, sorted.
    #[must_use]
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Returns the paths of all files with one of these extensions.
    pub fn with_extension<'a>(&'a self, extensions: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.files.iter().map(String::as_str).filter(|file| {
            Path::new(file).extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
        })
    }

    /// Returns the content of a text file.
    #[must_use]
    pub fn text(&self, file: &str) -> String {
        fs::read_to_string(self.root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Returns whether a file or folder with this path exists.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder that was just opened").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
        if path.is_dir() {
            if !MADE_BY_TOOLS.contains(&name) {
                collect(root, &path, files);
            }
        } else {
            let inside = path.strip_prefix(root).expect("it was found below the root");
            files.push(inside.to_str().expect("a path in UTF-8").to_owned());
        }
    }
}
