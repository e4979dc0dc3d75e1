//! The process may be killed at any moment: started again on the same data, it ends up the same.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/captures")
}

fn replay(name: &str, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contribution"));
    command.arg("replay").arg(captures().join(format!("{name}.jsonl"))).arg("--data").arg(data);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn killed_at_any_moment_and_started_again_the_ledger_ends_up_the_same() {
    // The last pauses are long enough for the distribution to be at work.
    let pauses_ms = [[40, 150, 400, 900], [90, 700, 1_100, 1_500]];
    for (name, pauses_ms) in ["ordering-incident", "flattened-regions"].into_iter().zip(pauses_ms) {
        let data = std::env::temp_dir().join(format!("contribution-killed-{name}-{}", std::process::id()));
        for pause_ms in pauses_ms {
            let mut running = replay(name, &data).spawn().expect("the stack starts");
            std::thread::sleep(Duration::from_millis(pause_ms));
            // SIGKILL: nothing of the process runs any more.
            running.kill().expect("the stack can be killed");
            running.wait().expect("the stack is gone");
        }
        let export = data.join("export.json");
        let output =
            replay(name, &data).arg("--export").arg(&export).output().expect("the stack runs to its end");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read = |path: &Path| -> Value {
            serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
        };
        let actual = read(&export);
        let expected = read(&captures().join(format!("{name}.expected.json")));
        for part in ["orders", "held", "distributed_total", "system", "distributions"] {
            assert_eq!(actual[part], expected[part], "{part} of {name}");
        }
        for (account, expected) in expected["accounts"].as_object().expect("an object") {
            for field in ["personal", "team_level", "team_bonus", "total", "direct_referral_adopted_count"] {
                assert_eq!(actual["accounts"][account][field], expected[field], "{field} of {account}");
            }
        }
        std::fs::remove_dir_all(&data).expect("the data can be removed");
    }
}

#[test]
fn unreadable_input_is_a_clear_error_and_a_failure() {
    for (content, complaint) in [("not a record\n", "line 1 is not a Kafka record"), ("", "")] {
        let file = std::env::temp_dir().join(format!("contribution-unreadable-{}.jsonl", std::process::id()));
        std::fs::write(&file, content).expect("a file");
        let output = Command::new(env!("CARGO_BIN_EXE_contribution"))
            .arg("replay")
            .arg(&file)
            .output()
            .expect("the command runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), complaint.is_empty(), "{error}");
        assert!(error.contains(complaint), "{error}");
        std::fs::remove_file(&file).expect("the file can be removed");
    }
    let missing = Command::new(env!("CARGO_BIN_EXE_contribution"))
        .args(["replay", "no-such-file.jsonl"])
        .output()
        .expect("the command runs");
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot open the capture no-such-file.jsonl"));
}
