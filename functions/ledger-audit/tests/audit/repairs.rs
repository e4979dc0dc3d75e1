//! What an audit finds in heads and lists is rebuilt from the log, item by item, to what was there before.

use std::sync::Arc;

use domain::heads::AdoptionState;
use domain::log::Command;
use domain::{Amount, Owner};
use end_to_end::{Shuffle, captured};
use ledger_audit::{Audit, AuditError, Targets, rebuild};
use oracle::generate::{Plan, history};
use serde_json::json;
use store::{Condition, Item, Key, Table, Write, heads, lists};

use crate::audits::{is_written, items, names, report};
use crate::moving::Moving;
use crate::stack::Stack;

/// How many kinds of items are damaged in turn.
const KINDS: [&str; 7] =
    ["ACCOUNT#D", "ACCOUNT#HEADQUARTERS", "ADOPTION#", "LINES#", "SUM#", "HELD#", "CHILDREN#"];

async fn audit_and_repair(stack: &Stack) -> serde_json::Value {
    let function = ledger_audit::build(&stack.settings).expect("valid settings");
    let answer = stack.harness.invoke(&function, json!({ "repair": true })).await.expect("it audits");
    stack.settle().await;
    answer
}

/// Returns the items that follow from the log and that no audit or command changes.
async fn projected(stack: &Stack) -> Vec<Item> {
    let mut all = items(&*stack.engine).await;
    all.retain(|item| KINDS.iter().any(|kind| item.key.partition.starts_with(kind)));
    all.sort_by(|one, other| one.key.cmp(&other.key));
    all
}

/// Returns a ledger with long chains, held orders and accounts with several pages of lines.
async fn ledger() -> Stack {
    Stack::fed(&Plan { adoptions: 200, ..Plan::deep(6) }).await
}

#[tokio::test]
async fn an_item_that_was_deleted_or_cannot_be_read_is_rebuilt_to_what_it_was() {
    let stack = ledger().await;
    let before = projected(&stack).await;
    for kind in KINDS {
        let of_kind = || before.iter().filter(|item| item.key.partition.starts_with(kind));
        let is_held = |item: &&Item| {
            !kind.starts_with("HELD") || matches!(lists::held_of(item), Ok(Some((_, Some(_)))))
        };
        let item = of_kind().filter(is_held).nth(of_kind().filter(is_held).count() / 2);
        let item = item.unwrap_or_else(|| panic!("there is no {kind}"));
        let mut damages = vec![Write::delete(item.key.clone(), Condition::None)];
        if ["ACCOUNT", "ADOPTION"].iter().any(|head| kind.starts_with(head)) {
            damages.push(Write::put(Item { body: vec![0xff; 3], ..item.clone() }, Condition::None));
        }
        for damage in damages {
            is_written(&*stack.engine, damage).await;
            assert!(report(&stack).await.found.count > 0, "{kind}: the damage is not found");
            let answer = audit_and_repair(&stack).await;
            assert!(answer["rebuilt"].as_u64().is_some_and(|rebuilt| rebuilt > 0), "{kind}: {answer}");
            let after = projected(&stack).await;
            let of_after = after.iter().find(|other| other.key == item.key);
            assert_eq!(of_after.map(|item| &item.body), Some(&item.body), "{kind}: {}", item.key);
            assert_eq!(names(&report(&stack).await), [""; 0], "{kind}");
        }
    }
}

#[tokio::test]
async fn heads_that_say_something_else_are_rebuilt_and_the_operators_log_says_so() {
    let stack = ledger().await;
    let before = projected(&stack).await;
    let operations_before =
        lists::operations(&*stack.engine, None, 1_000).await.expect("memory answers").len();
    for item in before.iter().step_by(7) {
        if let Ok(Some((owner, mut head))) = heads::account_of(item) {
            head.money.totals.personal = Amount::TOTAL_MAX;
            head.node.rows.clear();
            is_written(&*stack.engine, heads::put_account(&owner, &head, item.revision, item.revision)).await;
        } else if let Ok(Some((order, mut head))) = heads::adoption_of(item) {
            head.state = AdoptionState::Unpriced;
            is_written(&*stack.engine, heads::put_adoption(order, &head, item.revision, item.revision)).await;
        }
    }
    // A head and an adoption that the log knows nothing of.
    let stranger: Owner = "D99999999999".parse().expect("an owner");
    let mut head = heads::AccountHead::default();
    head.money.totals.team_bonus = Amount::TOTAL_MAX;
    is_written(&*stack.engine, heads::put_account(&stranger, &head, 3, 0)).await;
    assert!(report(&stack).await.found.count > 5);
    audit_and_repair(&stack).await;
    assert_eq!(projected(&stack).await, before);
    let known = heads::revisions(&*stack.engine, vec![heads::account_key(&stranger)]).await;
    assert!(known.expect("memory answers").is_empty(), "the stranger is gone");
    let operations = lists::operations(&*stack.engine, None, 1_000).await.expect("memory answers");
    let added = &operations[..operations.len() - operations_before];
    let is_note =
        |command: &Command| matches!(command, Command::Note { text } if text.starts_with("rebuilt "));
    assert!(added.iter().any(|operation| is_note(&operation.command)), "{added:?}");
}

#[tokio::test]
async fn a_rebuild_writes_the_books_of_lines_that_were_there() {
    let stack = Stack::new();
    let records = captured(&history(&Plan { adoptions: 600, ..Plan::deep(6) }));
    for (part, until) in records.chunks(records.len() / 3).zip(["2026-01-20", "2026-02-10", "2026-03-05"]) {
        stack.feed(part, Shuffle::AsCaptured).await;
        let until = until.parse().expect("a date");
        stack.command(&format!("close-{until}"), Command::Close { until, source_is_complete: true }).await;
    }
    let books = || async {
        let mut books = items(&*stack.engine).await;
        books.retain(|item| item.key.partition.starts_with("BOOK#"));
        books
    };
    let before = books().await;
    assert!(before.len() > 3, "{} books", before.len());
    let owner = |item: &Item| item.key.partition.strip_prefix("BOOK#").map(str::parse::<Owner>);
    let owners = before.iter().map(|item| owner(item).expect("a book").expect("an account"));
    let targets = Targets { accounts: owners.collect(), ..Targets::default() };
    for item in &before {
        is_written(&*stack.engine, Write::delete(item.key.clone(), Condition::None)).await;
    }
    let shards = stack.settings.account_shards;
    rebuild(&*stack.engine, &stack.versions(), shards, targets).await.expect("memory answers");
    assert_eq!(books().await, before);
}

#[tokio::test]
async fn a_head_that_moves_while_it_is_rebuilt_is_rebuilt_again_and_none_of_its_pages_is_lost() {
    let stack = ledger().await;
    let before = projected(&stack).await;
    let mut of_accounts = before.iter().filter_map(|item| Some((heads::owner_of(item)?, item)));
    let (owner, item) = of_accounts.rfind(|(owner, _)| matches!(owner, Owner::User(_))).expect("an account");
    let damage = Item { body: vec![0xff; 3], ..item.clone() };
    is_written(&*stack.engine, Write::put(damage, Condition::None)).await;
    let moving = Moving::over(&stack.engine, item.key.clone());
    let targets = Targets { accounts: [owner].into(), ..Targets::default() };
    let rebuilt = rebuild(&moving, &stack.versions(), stack.settings.account_shards, targets).await;
    assert_eq!(rebuilt.expect("memory answers"), 1);
    assert!(moving.has_moved());
    assert_eq!(projected(&stack).await, before);
}

#[tokio::test]
async fn an_emptied_table_does_not_audit_clean() {
    let stack = ledger().await;
    for item in items(&*stack.engine).await {
        is_written(&*stack.engine, Write::delete(item.key, Condition::None)).await;
    }
    let context = stack.context(Arc::clone(&stack.engine), 900_000);
    let versions = stack.versions();
    let zone = stack.settings.policy.business_time_zone();
    let shards = stack.settings.account_shards;
    let audit = Audit { versions: &versions, shards, zone, context: &context, watch: &|_, _| {} };
    assert!(matches!(audit.run().await, Err(AuditError::FarBehind { position: 0 })));
    // The projections begin again, and end where they were.
    stack.settle().await;
    assert_eq!(names(&report(&stack).await), [""; 0]);
}

#[tokio::test]
async fn a_log_that_was_changed_or_cut_off_is_refused() {
    let stack = ledger().await;
    let page = |position: u64| Key::new(Table::Log, format!("LOG#{position:012}"), "PAGE");
    let last = stack.harness.last_page().await;
    let context = stack.context(Arc::clone(&stack.engine), 900_000);
    let versions = stack.versions();
    let zone = stack.settings.policy.business_time_zone();
    let shards = stack.settings.account_shards;
    let audit = Audit { versions: &versions, shards, zone, context: &context, watch: &|_, _| {} };
    let stored = stack.engine.get(page(last)).await.expect("memory answers").expect("a page");
    is_written(&*stack.engine, Write::delete(page(last), Condition::None)).await;
    assert!(matches!(audit.run().await, Err(AuditError::MissingPage { position }) if position == last));
    is_written(&*stack.engine, Write::put(stored, Condition::None)).await;

    let mut changed = store::log::read_at(&*stack.engine, vec![2]).await.expect("memory answers").remove(0);
    changed.time_ms += 1;
    is_written(&*stack.engine, Write::delete(page(2), Condition::None)).await;
    assert_eq!(store::log::put(&*stack.engine, &changed).await, Ok(store::Written::Done));
    assert!(matches!(audit.run().await, Err(AuditError::BrokenChain { position: 3 })));
}

#[tokio::test]
async fn orders_that_an_unreadable_account_holds_are_posted_once_it_is_rebuilt() {
    let records = captured(&history(&Plan::large(3, 60, 60, oracle::generate::Shape::Recent { of_last: 3 })));
    let (first, rest) = records.split_at(records.len() * 3 / 4);
    let expected = Stack::new();
    expected.feed(&records, Shuffle::AsCaptured).await;
    let stack = Stack::new();
    stack.feed(first, Shuffle::AsCaptured).await;
    // The root's head, which decides legs below it.
    let all = items(&*stack.engine).await;
    let of_adopters = all.iter().filter(|item| heads::owner_of(item).is_some());
    let with_most = of_adopters.filter(|item| item.key.partition.starts_with("ACCOUNT#D"));
    let item = with_most.max_by_key(|item| {
        heads::account_of(item).ok().flatten().map_or(0, |(_, head)| head.money.lines.count)
    });
    let item = item.expect("an account").clone();
    is_written(&*stack.engine, Write::put(Item { body: vec![0xff; 3], ..item }, Condition::None)).await;
    let mut stack = stack;
    stack.harness.restart();
    stack.feed(rest, Shuffle::AsCaptured).await;
    let held = lists::held(&*stack.engine, stack.settings.account_shards, None, 1_000).await;
    let is_unreadable = |held: &&lists::HeldAdoption| held.reason.name() == "ACCOUNT_UNREADABLE";
    assert!(held.expect("memory answers").iter().any(|held| is_unreadable(&held)), "an order waits for it");
    audit_and_repair(&stack).await;
    assert_eq!(names(&report(&stack).await), [""; 0]);
    assert_eq!(stack.digest().await, expected.digest().await);
}
