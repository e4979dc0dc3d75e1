//! The commands by which a ledger is checked, as a person uses them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::{capture, contribution, expected, failure_of, success_of, tables_of};
use domain::Amount;
use serde_json::Value;
use store::{Condition, Engine, Key, Segment, Table, Write, heads};

/// Replays a golden capture into a directory.
fn replayed(name: &str, directory: &Path) {
    let mut replay = contribution();
    success_of(replay.arg("replay").arg(capture(name)).arg("--data").arg(directory));
}

fn on(directory: &Path, command: &[&str]) -> Command {
    let mut contribution = contribution();
    contribution.args(command).arg("--data").arg(directory);
    contribution
}

/// Does something to the tables of a ledger while no command uses them.
fn with_tables<T>(directory: &Path, work: impl AsyncFnOnce(&dyn Engine) -> T) -> T {
    let engine = tables_of(directory);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(work(&engine))
}

async fn keys(engine: &dyn Engine, table: Table) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut start = None;
    loop {
        let page = engine.scan(table, Segment::WHOLE, start).await.expect("the tables answer");
        keys.extend(page.items.into_iter().map(|item| item.key));
        match page.next {
            Some(next) => start = Some(next),
            None => return keys,
        }
    }
}

#[test]
fn an_audit_names_damage_mends_it_when_asked_and_is_clean_afterwards() {
    let directory = tempfile::tempdir().expect("it works");
    replayed("ordering-incident", directory.path());
    let clean = success_of(&mut on(directory.path(), &["audit"]));
    assert!(clean.contains("differences              0"), "{clean}");

    with_tables(directory.path(), async |engine| {
        let owner = "D25122700018".parse().expect("it works");
        let head = heads::accounts(engine, vec![owner]).await.expect("it works");
        for (owner, mut at) in head {
            at.head.money.totals.personal = Amount::TOTAL_MAX;
            let write = heads::put_account(&owner, &at.head, at.position, at.position);
            assert_eq!(engine.write(write).await.expect("it works"), store::Written::Done);
        }
    });
    let output = on(directory.path(), &["audit"]).output().expect("it works");
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8(output.stdout).expect("it works");
    assert!(report.contains("TOTALS           D25122700018"), "{report}");
    let errors = String::from_utf8(output.stderr).expect("it works");
    assert!(errors.contains("run the same command with --repair"), "{errors}");

    let mended = success_of(&mut on(directory.path(), &["audit", "--repair"]));
    assert!(mended.contains("differences              0"), "{mended}");
    let clean: Value =
        serde_json::from_str(&success_of(&mut on(directory.path(), &["audit", "--json"]))).expect("it works");
    assert_eq!(clean["differences"], 0);
}

#[test]
fn tables_that_were_emptied_do_not_audit_clean() {
    let directory = tempfile::tempdir().expect("it works");
    replayed("ordering-incident", directory.path());
    with_tables(directory.path(), async |engine| {
        for table in Table::ALL {
            for key in keys(engine, table).await {
                let _ = engine.write(Write::delete(key, Condition::None)).await.expect("it works");
            }
        }
    });
    let refused = failure_of(&mut on(directory.path(), &["audit"]));
    assert!(refused.contains("has no page") && refused.contains("backup"), "{refused}");
    for command in [["explain", "55"].as_slice(), &["digest"]] {
        let refused = failure_of(&mut on(directory.path(), command));
        assert!(refused.contains("has no page"), "{refused}");
    }
}

#[test]
fn a_ledger_is_only_looked_at_where_it_is_named() {
    for command in [["audit"].as_slice(), &["explain", "55"], &["export", "--log", "log.jsonl"]] {
        let refused = failure_of(contribution().args(command));
        assert!(refused.contains("--data"), "{command:?}: {refused}");
    }
    let directory = tempfile::tempdir().expect("it works");
    let refused = failure_of(&mut on(directory.path(), &["audit"]));
    assert!(refused.contains("holds no ledger"), "{refused}");
}

#[test]
fn an_export_is_verified_with_the_digest_of_its_ledger_and_refused_once_it_is_changed() {
    let directory = tempfile::tempdir().expect("it works");
    let data = directory.path().join("ledger");
    replayed("flattened-regions", &data);
    let log = directory.path().join("log.jsonl");
    success_of(on(&data, &["export", "--log"]).arg(&log));
    let digest: Value =
        serde_json::from_str(&success_of(&mut on(&data, &["digest", "--json"]))).expect("it works");
    let verified = success_of(contribution().args(["verify", "--json"]).arg(&log));
    let verified: Value = serde_json::from_str(&verified).expect("it works");
    assert_eq!(verified["digest"], digest["hash"]);
    let head = verified["head"].as_str().expect("it works");
    success_of(contribution().arg("verify").arg(&log).args(["--head", head]));
    success_of(contribution().args(["digest", "--diff"]).args([&log, &data]));

    let refused =
        failure_of(contribution().arg("verify").arg(&log).args(["--head", &head.replace(':', ":0")]));
    assert!(refused.contains("is no head"), "{refused}");
    let other = format!("{}:{}", head.split(':').next().expect("it works"), "0f".repeat(32));
    let refused = failure_of(contribution().arg("verify").arg(&log).args(["--head", &other]));
    assert!(refused.contains("the log was rewritten"), "{refused}");
    let mut bytes = fs::read(&log).expect("it works");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).expect("it works");
    let refused = failure_of(contribution().arg("verify").arg(&log));
    assert!(refused.contains("is refused"), "{refused}");
}

#[test]
fn digests_agree_where_ledgers_do_and_the_keys_that_differ_are_named() {
    let directory = tempfile::tempdir().expect("it works");
    let [first, second, third, book] =
        ["first", "second", "third", "book.csv"].map(|name| directory.path().join(name));
    replayed("ordering-incident", &first);
    success_of(on(&first, &["price-book", "export"]).arg(&book));
    success_of(on(&second, &["price-book", "import"]).arg(&book));
    replayed("ordering-incident", &second);
    let digests = [&first, &second].map(|data| success_of(&mut on(data, &["digest"])));
    assert_eq!(digests[0], digests[1]);
    // Another digest here means that no two editions' ledgers can be compared.
    let incident = "a0ec601f9d4d13b3e2e2e9c04902d5d40df7c055fb83a398ca198e3ba5247253";
    let dated = success_of(&mut on(&first, &["digest", "--date", "2026-02-10"]));
    assert!(dated.contains(incident), "{dated}");
    assert!(digests[0].contains("price_book (") && digests[0].contains("legs ("), "{}", digests[0]);
    success_of(contribution().args(["digest", "--diff"]).args([&first, &second]));

    replayed("flattened-regions", &third);
    let output = contribution().args(["digest", "--diff"]).args([&first, &third]).output().expect("it works");
    assert_eq!(output.status.code(), Some(1));
    let named = String::from_utf8(output.stdout).expect("it works");
    assert_eq!(named.lines().count(), 100, "{named}");
    assert!(named.starts_with("legs 0000000000000000"), "{named}");
    let broken = directory.path().join("broken.csv");
    fs::write(&broken, "order_id,trees_before\n7,x\n").expect("it works");
    let refused = failure_of(on(&third, &["price-book", "import"]).arg(&broken));
    assert!(refused.contains("line 2 of the price book"), "{refused}");
}

#[test]
fn an_explanation_says_why_each_leg_has_its_amount() {
    let directory = tempfile::tempdir().expect("it works");
    replayed("ordering-incident", directory.path());
    let text = success_of(&mut on(directory.path(), &["explain", "57"]));
    for part in [
        "order 57:",
        "TEAM_LEVEL 1",
        "ancestors as of order 57",
        "terms\n",
        "place in the price book",
        "posted: ",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let json = success_of(&mut on(directory.path(), &["explain", "57", "--json"]));
    let json: Value = serde_json::from_str(&json).expect("it works");
    let amounts = json["distribution"]["legs"].as_array().expect("it works").iter();
    let sum: i128 = amounts
        .map(|leg| {
            leg["amount"].as_str().expect("it works").replace('.', "").parse::<i128>().expect("it works")
        })
        .sum();
    let total = json["terms"]["total"].as_str().expect("it works");
    assert_eq!(sum.to_string(), total.replace('.', ""));
    assert_eq!(expected("ordering-incident")["distributions"]["57"]["total"], total);
    assert!(!json["history"].as_array().expect("it works").is_empty());
    let refused = failure_of(&mut on(directory.path(), &["explain", "999999"]));
    assert!(refused.contains("knows no order 999999"), "{refused}");
}
