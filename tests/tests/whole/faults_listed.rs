//! What `docs/faults.md` names is there.

use std::path::Path;

#[test]
fn every_test_that_the_list_of_faults_names_exists_where_it_is_said_to_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let list = std::fs::read_to_string(root.join("docs/faults.md")).expect("the list");
    let mut checked = 0;
    for row in list.lines().filter(|line| line.starts_with("| ") && line.contains(".rs` |")) {
        let columns: Vec<&str> = row.split(" | ").map(|column| column.trim_matches('`')).collect();
        let (test, file) = (columns[2], columns[3]);
        let source =
            std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(source.contains(&format!("fn {test}(")), "{file} has no test {test}");
        checked += 1;
    }
    assert!(checked > 60, "{checked}");
}
