//! Starts the program `contribution` for the tests, and reads what it prints and golden captures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use local_tables::SqliteEngine;
use serde_json::Value;

/// Returns the command, without arguments.
pub(crate) fn contribution() -> Command {
    Command::new(env!("CARGO_BIN_EXE_contribution"))
}

fn captures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/captures")
}

/// Returns the file of a golden capture.
pub(crate) fn capture(name: &str) -> PathBuf {
    captures().join(format!("{name}.jsonl"))
}

/// Returns what must come of a golden capture.
pub(crate) fn expected(name: &str) -> Value {
    let file = captures().join(format!("{name}.expected.json"));
    serde_json::from_slice(&fs::read(file).expect("the capture has an expectation")).expect("it is JSON")
}

/// Runs a command that must succeed, and returns what it prints.
pub(crate) fn success_of(command: &mut Command) -> String {
    let output = command.output().expect("the command starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Runs a command that must fail, and returns its errors.
pub(crate) fn failure_of(command: &mut Command) -> String {
    let output = command.output().expect("the command starts");
    assert!(!output.status.success(), "{command:?} succeeds");
    String::from_utf8(output.stderr).expect("it prints text")
}

/// Opens the tables of a ledger that no command uses.
///
/// A command that another test begins at this moment has the open files of this process, locks among them, until its program
/// is loaded.
pub(crate) fn tables_of(directory: &Path) -> SqliteEngine {
    let began = Instant::now();
    loop {
        match SqliteEngine::open(directory) {
            Ok(engine) => return engine,
            Err(error) if began.elapsed() > Duration::from_secs(10) => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
