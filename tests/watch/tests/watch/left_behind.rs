//! What was given up does not come back.

use watch::{Repository, tokens};

/// Words of the heart that was replaced: a cursor for each tree, lists of work, counters in storage, and writes that
/// span items. Decision 0008 says why.
const OF_THE_FIRST_EDITION: [&str; 9] = [
    "TreeCursor",
    "tree_cursor",
    "WorkList",
    "work_list",
    "OutstandingList",
    "transact_write_items",
    "TransactWriteItem",
    "transact_get_items",
    "update_item",
];

#[test]
fn nothing_has_a_cursor_for_each_tree_or_a_list_of_work_or_a_write_that_spans_items() {
    let repository = Repository::read();
    let mut checked = 0;
    for file in repository.with_extension(&["rs"]) {
        // The model has the calls of the service, whether the ledger makes them or not.
        if file.starts_with("tests/") {
            continue;
        }
        checked += 1;
        for token in tokens(&repository.text(file)) {
            assert!(
                !OF_THE_FIRST_EDITION.contains(&token.text.as_str()),
                "{file}:{}: {}",
                token.line,
                token.text
            );
        }
    }
    assert!(checked > 200, "{checked}");
}

#[test]
fn no_role_may_write_items_of_a_table_together() {
    let repository = Repository::read();
    let template = repository.text("infra/template.yaml");
    assert!(template.contains("dynamodb:PutItem"));
    for action in ["dynamodb:TransactWriteItems", "dynamodb:UpdateItem", "dynamodb:*"] {
        assert!(!template.contains(action), "{action}");
    }
}

#[test]
fn nothing_names_a_path_of_one_machine() {
    let repository = Repository::read();
    // Put together here, so that this file does not name them.
    let folders = ["work", "root", "home", "Users"].map(|folder| format!("/{folder}/"));
    let mut checked = 0;
    for file in
        repository.with_extension(&["rs", "md", "toml", "yaml", "js", "mjs", "py", "sh", "css", "html"])
    {
        checked += 1;
        for (number, line) in repository.text(file).lines().enumerate() {
            let named = folders.iter().any(|folder| {
                // A folder of that name inside a path is not the machine's.
                line.match_indices(folder.as_str()).any(|(at, _)| {
                    !line[..at]
                        .ends_with(|before: char| before.is_alphanumeric() || "._-~>}".contains(before))
                })
            });
            assert!(!named, "{file}:{}: {line}", number + 1);
        }
    }
    assert!(checked > 400, "{checked}");
}
