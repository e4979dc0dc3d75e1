//! `contribution audit` says by its exit status whether the ledger is what it should be.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use contribution::endpoints::Storage;
use contribution::stack::{Options, Stack};
use ledger::store::{Action, Key};

fn contribution(arguments: &[&str], data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contribution"));
    command.args(arguments).arg("--data").arg(data).output().expect("the command runs")
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn the_audit_fails_if_and_only_if_the_ledger_is_damaged() {
    let capture =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/captures/ordering-incident.jsonl");
    let data = std::env::temp_dir().join(format!("contribution-audited-{}", std::process::id()));
    let replayed = contribution(&["replay", capture.to_str().expect("a path of this repository")], &data);
    assert!(replayed.status.success(), "{}", text(&replayed));
    let clean = contribution(&["audit"], &data);
    assert!(clean.status.success(), "{}", text(&clean));

    add_the_smallest_unit_to_a_total(&data);
    let damaged = contribution(&["audit"], &data);
    assert_eq!(damaged.status.code(), Some(1), "{}", text(&damaged));
    assert!(text(&damaged).contains("D25122700018"), "{}", text(&damaged));
    std::fs::remove_dir_all(&data).expect("the data can be removed");
}

#[test]
fn a_directory_without_tables_is_an_error_and_is_not_filled() {
    let data = std::env::temp_dir().join(format!("contribution-without-tables-{}", std::process::id()));
    for arguments in [&["audit"][..], &["explain", "57"], &["close"], &["rebuild"]] {
        let refused = contribution(arguments, &data);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
        assert!(text(&refused).contains("there are no tables"), "{}", text(&refused));
        assert!(!data.exists(), "nothing is created");
    }
}

fn add_the_smallest_unit_to_a_total(data: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options = Options::new(Storage::Directory(data.to_owned()));
        let stack = Stack::start(&options).await.expect("the stack starts");
        let account = "D25122700018".parse().expect("an account");
        let damage = Action::update(Key::account(&account)).add("team_level", "0.0000000001");
        assert!(stack.store().apply(damage).await.expect("the tables answer"), "the account exists");
    });
}
