//! The patches of `docs/walks` apply to the repository as it is. `docs/walks/walk` also runs the tests.

use std::collections::BTreeMap;

use watch::Repository;

/// A part of a patch: a file, and the lines there before and after.
#[derive(Debug, Default)]
struct Hunk {
    file: String,
    before: Vec<String>,
    after: Vec<String>,
}

#[test]
fn the_patches_of_every_walk_apply_in_their_order() {
    let repository = Repository::read();
    let mut patches: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in repository.with_extension(&["patch"]).filter(|file| file.starts_with("docs/walks/")) {
        patches.entry(file.rsplit_once('/').expect("a folder").0).or_default().push(file);
    }
    assert_eq!(patches.len(), 4, "{patches:?}");
    for patches in patches.into_values() {
        let mut changed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for patch in patches {
            for hunk in hunks(&repository.text(patch)) {
                let lines = changed.entry(hunk.file.clone()).or_insert_with(|| {
                    let is_there = repository.has(&hunk.file);
                    let text = if is_there { repository.text(&hunk.file) } else { String::new() };
                    text.lines().map(str::to_owned).collect()
                });
                let at = place(lines, &hunk.before).unwrap_or_else(|| {
                    panic!("{patch}: {} has no longer these lines:\n{}", hunk.file, hunk.before.join("\n"))
                });
                lines.splice(at..at + hunk.before.len(), hunk.after);
            }
        }
    }
}

fn place(lines: &[String], wanted: &[String]) -> Option<usize> {
    (0..=lines.len().checked_sub(wanted.len())?).find(|&at| lines[at..].starts_with(wanted))
}

fn hunks(patch: &str) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut file = "";
    for line in patch.lines() {
        if let Some(named) = line.strip_prefix("+++ b/") {
            file = named;
        } else if line.starts_with("@@ ") {
            hunks.push(Hunk { file: file.to_owned(), ..Hunk::default() });
        } else if let (Some(hunk), Some((mark, text))) = (hunks.last_mut(), line.split_at_checked(1)) {
            if line.starts_with("diff ") || line.starts_with("--- ") || line.starts_with("index ") {
                continue;
            }
            if mark == " " || mark == "-" {
                hunk.before.push(text.to_owned());
            }
            if mark == " " || mark == "+" {
                hunk.after.push(text.to_owned());
            }
        }
    }
    hunks
}
