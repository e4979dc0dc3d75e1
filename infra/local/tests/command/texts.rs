//! Every text that the command prints is in English and in Chinese.

use std::fs;
use std::path::Path;

use watch::language::{has_english_words, is_chinese};

use crate::program::{capture, contribution, failure_of, success_of};

/// Returns the string literals of an expression, up to the bracket that ends it.
fn literals(expression: &str) -> Vec<String> {
    let (mut found, mut depth) = (Vec::new(), 0_u32);
    let mut letters = expression.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            '"' => {
                let mut literal = String::new();
                while let Some(letter) = letters.next().filter(|letter| *letter != '"') {
                    literal.push(letter);
                    if letter == '\\' {
                        literal.extend(letters.next());
                    }
                }
                found.push(literal);
            }
            _ => {}
        }
    }
    found
}

/// Collects what each `say` of the sources is given.
fn said(directory: &Path, found: &mut Vec<(String, Vec<String>)>) {
    for entry in fs::read_dir(directory).expect("readable").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            said(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).expect("text");
            let file = entry.display().to_string();
            let calls = text.split("say(").skip(1).map(literals).filter(|literals| !literals.is_empty());
            found.extend(calls.map(|literals| (file.clone(), literals)));
        }
    }
}

#[test]
fn whatever_is_said_in_english_is_said_in_chinese() {
    let mut found = Vec::new();
    said(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 200, "the texts are found");
    for (file, literals) in found {
        let chinese = literals.last().expect("a text");
        // A name that both languages share, and a variable beside a literal, have no letters of either.
        let has_words = chinese.chars().any(char::is_alphabetic) && !["ms"].contains(&chinese.as_str());
        assert!(is_chinese(chinese) || !has_words, "{file}: {literals:?}");
        if let [english, _] = literals.as_slice() {
            assert!(!is_chinese(english), "{file}: {literals:?}");
        }
    }
}

/// How what a person reads is made: errors, and lines on standard error and output.
const READ_BY_PEOPLE: [&str; 7] =
    ["bail!(", "anyhow!(", "ensure!(", "with_context(", ".context(", "println!(", "Err(\""];
/// Files of which each text says that the template or the program is at fault, and not what a person did.
const FILES_OF_FAULTS: [&str; 2] = ["template.rs", "gateway.rs"];
/// Texts that say the same elsewhere, or that the machine, a table or another program is at fault.
const FAULTS: [&str; 21] = [
    "the clock shows no business date",
    "the directory of {} is missing",
    "version {} of the rules is not known",
    "version {} is not known",
    "the API cannot be served any longer",
    "progress cannot be read",
    "the template has no functions",
    "{} cannot start",
    "no function has a Kafka trigger",
    "{crate_name} is not part of this build",
    "the functions still write after {ROUNDS_MAX} rounds of calls; this is a fault of the program",
    "a key has at least {KEY_BYTES} bytes",
    "this system has no random numbers",
    "the differences do not add up ({fault:?}); this is a fault of the program",
    "a ratio has 18 decimals",
    "the API answers with JSON",
    "the API does not say by what the adoption was judged",
    "a text is missing",
    "the count of trees is missing",
    "the version of the rules is missing",
    "an adoption has a tree at least",
];

/// Returns the part of the text up to the bracket that ends it.
fn call(text: &str) -> &str {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_u32, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted && depth == 0 => return &text[..at],
            ')' if !is_quoted => depth -= 1,
            _ => {}
        }
    }
    text
}

/// Collects the files of a directory and of those in it.
fn sources(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(directory).expect("readable").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() { sources(&entry, found) } else { found.push(entry) }
    }
}

#[test]
fn every_error_and_every_line_for_people_is_said_in_both_languages() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let (mut seen, mut english_only) = (0, Vec::new());
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("text");
        let text = text.split("#[cfg(test)]\nmod tests {").next().expect("a first part");
        if FILES_OF_FAULTS.contains(&name.as_str()) || name == "tests.rs" {
            continue;
        }
        for marker in READ_BY_PEOPLE {
            let quote = if marker.ends_with('"') { "\"" } else { "" };
            for rest in text.split(marker).skip(1) {
                let made = call(&format!("{quote}{rest}")).to_owned();
                seen += 1;
                let texts = literals(&made);
                let has_words = texts.iter().any(|text| has_english_words(text));
                let is_fault = texts.iter().any(|text| FAULTS.contains(&text.as_str()));
                if has_words && !is_fault && !made.contains("say(") {
                    english_only.push(format!("{name}: {texts:?}"));
                }
            }
        }
    }
    assert!(seen > 120, "{seen} places are found");
    assert_eq!(english_only, Vec::<String>::new());
}

#[test]
fn errors_are_chinese_where_the_environment_asks_for_it() {
    let directory = tempfile::tempdir().expect("a directory");
    for (arguments, said) in [
        (vec!["status"], "哪个账本"),
        (vec!["status", "--data", "nowhere"], "nowhere 中没有账本"),
        (vec!["replay", "no-such-capture"], "无法打开捕获文件"),
        (vec!["held", "--url", "http://127.0.0.1:9", "--token", "t"], "无法连接"),
        (vec!["held", "--url", "http://example.com", "--token", "t"], "令牌只能经 https"),
        (vec!["digest", "--diff", "nowhere", "nothing"], "无法读取"),
        (vec!["verify", "nowhere", "--head", "x"], "不是 head"),
    ] {
        let mut command = contribution();
        command.current_dir(directory.path()).args(&arguments).env("LC_ALL", "zh_CN.UTF-8");
        let refused = failure_of(command.env_remove("CONTRIBUTION_TOKEN"));
        assert!(refused.starts_with("错误: ") && refused.contains(said), "{arguments:?}: {refused}");
    }
}

#[test]
fn a_command_line_that_cannot_be_read_and_a_help_are_chinese_where_the_environment_asks_for_it() {
    for (arguments, said) in [
        (vec!["repaly", "x"], "没有命令 'repaly'"),
        (vec!["replay", "x", "--as-of", "2026-13-01"], "不是1970-01-01 至 9990-12-31 的日期"),
        (vec!["replay"], "缺少必需的参数：<CAPTURE>"),
    ] {
        let refused = failure_of(contribution().args(&arguments).env("LC_ALL", "zh_CN.UTF-8"));
        assert!(refused.starts_with("错误: ") && refused.contains(said), "{arguments:?}: {refused}");
        assert!(refused.contains("用法：contribution") || !refused.contains("Usage"), "{refused}");
    }
    let help = success_of(contribution().args(["run", "--help"]).env("LC_ALL", "zh_CN.UTF-8"));
    assert!(help.contains("用法：contribution run [选项]") && help.contains("[默认：8787]"), "{help}");
}

#[test]
fn the_operators_log_is_read_in_chinese_where_the_environment_asks_for_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = directory.path().join("ledger");
    success_of(contribution().arg("replay").arg(capture("ordering-incident")).arg("--data").arg(&ledger));
    let asked = |arguments: &[&str]| {
        let mut command = contribution();
        command.args(arguments).arg("--data").arg(&ledger).env("LC_ALL", "zh_CN.UTF-8");
        command
    };
    let paused = success_of(&mut asked(&["pause", "--what", "closing", "--reason", "ticket 4711"]));
    assert!(paused.contains("关账正常进行") && paused.contains("起暂停"), "{paused}");
    let operations = success_of(&mut asked(&["operations"]));
    for said in ["由命令行提出", "已重放", "ticket 4711", "关账正常进行 → 关账自 "] {
        assert!(operations.contains(said), "{said}: {operations}");
    }
    let refused = failure_of(&mut asked(&["let-go", "truncate", "nothing", "--reason", "ticket 4711"]));
    assert!(refused.contains("没有等待放行的清空操作 nothing"), "{refused}");
    let waits = failure_of(&mut asked(&["close", "2026-02-10"]));
    assert!(waits.contains("的关账正在等待：PAUSED（暂停）：关账已被运维人员暂停"), "{waits}");
    std::fs::write(directory.path().join("file"), "").expect("writable");
    let no_directory = directory.path().join("file/below");
    let mut replay = contribution();
    replay.arg("replay").arg(capture("ordering-incident")).arg("--data").arg(no_directory);
    let refused = failure_of(replay.env("LC_ALL", "zh_CN.UTF-8"));
    assert!(refused.contains("无法读取") && refused.contains("这不是目录"), "{refused}");
}

#[test]
fn a_replay_is_summed_up_in_chinese_where_the_environment_asks_for_it() {
    let mut replay = contribution();
    replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", "2026-02-10"]);
    let summary = success_of(replay.env("LC_ALL", "zh_CN.UTF-8"));
    assert!(
        summary.contains("若按到达顺序分配，D25122700018 只会得到 0，而不是应得的 11,534.67"),
        "{summary}"
    );
    for english in ["received", "posted", "closed", "network", "order", "second", "adoptions"] {
        assert!(!summary.contains(english), "{english}: {summary}");
    }
    let help = success_of(contribution().args(["replay", "--help"]).env("LC_ALL", "zh_CN.UTF-8"));
    assert!(help.contains("用法：") && help.contains("捕获文件"), "{help}");
}
