//! Audits find damage, name it, and go on where they were ended.

use std::sync::Arc;

use domain::heads::AdoptionState;
use domain::{Amount, Owner};
use end_to_end::CountedEngine;
use ledger_audit::{Audit, Audited};
use oracle::generate::Plan;
use serde_json::json;
use store::audit::AuditReport;
use store::heads;
use store::{Engine, Item, Key, Segment, Table, Write, Written};

use crate::stack::{Stack, no_event};

pub(crate) async fn audit(stack: &Stack, engine: Arc<dyn Engine>, milliseconds: i64) -> Audited {
    let context = stack.context(engine, milliseconds);
    let versions = stack.versions();
    let zone = stack.settings.policy.business_time_zone();
    let audit = Audit {
        versions: &versions,
        shards: stack.settings.account_shards,
        zone,
        context: &context,
        watch: &|_, _| {},
    };
    audit.run().await.expect("an audit without faults")
}

pub(crate) async fn report(stack: &Stack) -> AuditReport {
    match audit(stack, Arc::clone(&stack.engine), 900_000).await {
        Audited::Complete(report) => *report,
        Audited::GoesOn { segment } => panic!("it ended before segment {segment}"),
    }
}

pub(crate) fn names(report: &AuditReport) -> Vec<&'static str> {
    let mut names: Vec<&str> =
        report.found.differences.iter().map(domain::recalculate::Difference::name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Writes something, whatever stands there.
pub(crate) async fn is_written(engine: &dyn Engine, write: Write) {
    assert_eq!(engine.write(write).await, Ok(Written::Done));
}

pub(crate) async fn items(engine: &dyn Engine) -> Vec<Item> {
    let mut items = Vec::new();
    let mut start: Option<Key> = None;
    loop {
        let page = engine.scan(Table::Ledger, Segment::WHOLE, start).await.expect("memory answers");
        items.extend(page.items);
        match page.next {
            Some(next) => start = Some(next),
            None => return items,
        }
    }
}

#[tokio::test]
async fn ledgers_that_the_functions_made_are_as_they_should_be() {
    let mut posted = 0;
    for seed in 0..8 {
        for plan in [Plan::small(seed), Plan::deep(seed)] {
            let stack = Stack::fed(&plan).await;
            let report = report(&stack).await;
            assert_eq!(report.found.differences, [], "seed {seed}");
            assert!(report.found.compared > 10, "seed {seed}: {report:?}");
            posted += report.posted;
            assert_eq!(
                (report.found.changed_meanwhile, report.position),
                (0, stack.harness.last_page().await)
            );
        }
    }
    assert!(posted > 20, "{posted}");
}

#[tokio::test]
async fn every_kind_of_damage_is_named() {
    let stack = Stack::fed(&Plan::deep(6)).await;
    let engine = &*stack.engine;
    let all = items(engine).await;
    let accounts = || all.iter().filter_map(|item| Some((item, heads::account_of(item).expect("a head")?)));
    let user = |owner: &Owner| matches!(owner, Owner::User(_));

    let (item, (owner, mut head)) = accounts()
        .find(|(_, (owner, head))| user(owner) && head.money.totals.personal > Amount::ZERO)
        .expect("one");
    let before = head.clone();
    head.money.totals.personal = head.money.totals.personal.checked_add(Amount::TOTAL_MAX).expect("a sum");
    let damage = |head: &heads::AccountHead| heads::put_account(&owner, head, item.revision, item.revision);
    is_written(engine, damage(&head)).await;
    assert_eq!(names(&report(&stack).await), ["LINES", "TOTALS"]);
    is_written(engine, damage(&before)).await;

    let mut head = before.clone();
    head.node.facts.set_first_order(None);
    head.node.rows.clear();
    is_written(engine, damage(&head)).await;
    assert_eq!(names(&report(&stack).await), ["UNLOCK_FACTS", "UPLINE"]);
    is_written(engine, damage(&before)).await;

    is_written(engine, Write::delete(item.key.clone(), store::Condition::None)).await;
    assert_eq!(names(&report(&stack).await), ["ACCOUNT_HEAD"]);
    is_written(engine, Write::put(item.clone(), store::Condition::None)).await;

    let adoptions = || all.iter().filter_map(|item| Some((item, heads::adoption_of(item).expect("a head")?)));
    let (item, (order, mut head)) = adoptions().find(|(_, (_, head))| head.posting().is_some()).expect("one");
    head.state = AdoptionState::Unpriced;
    let damaged = heads::put_adoption(order, &head, item.revision, item.revision);
    is_written(engine, damaged).await;
    assert_eq!(names(&report(&stack).await), ["ADOPTION_HEAD"]);
    is_written(engine, Write::delete(item.key.clone(), store::Condition::None)).await;
    assert_eq!(names(&report(&stack).await), ["ADOPTION_HEAD"]);
    is_written(engine, Write::put(item.clone(), store::Condition::None)).await;
    assert_eq!(names(&report(&stack).await), [""; 0]);
}

#[tokio::test]
async fn a_decision_that_does_not_follow_from_the_rules_is_named_and_corrected_when_asked() {
    let stack = Stack::fed(&Plan::small(7)).await;
    let last = stack.harness.last_page().await;
    let pages = store::log::read_after(&*stack.engine, 0, 1_000).await.expect("memory answers");
    // A page that a decider of another mind put: it takes back what should stand.
    let posted = pages.iter().rev().flat_map(|page| &page.entries).find_map(|entry| match entry {
        domain::log::Entry::Posted { order, .. } => Some(*order),
        _ => None,
    });
    let order = posted.expect("something is posted");
    let known = heads::adoptions(&*stack.engine, vec![order]).await.expect("memory answers");
    let posting = known[&order].head.posting().expect("it is posted").clone();
    let page = domain::log::Page {
        position: last + 1,
        previous: pages.last().expect("a page").hash(),
        time_ms: pages.last().expect("a page").time_ms,
        entries: vec![domain::log::Entry::Withdrawn {
            order,
            posting: Box::new(posting),
            first_order: None,
            cause: domain::log::Cause::Repair,
        }],
    };
    assert_eq!(store::log::put(&*stack.engine, &page).await, Ok(Written::Done));
    stack.harness.project(no_event()).await.expect("it is projected");

    let found = report(&stack).await;
    assert!(names(&found).contains(&"ADOPTION"), "{found:?}");
    let function = ledger_audit::build(&stack.settings).expect("valid settings");
    let answer = stack.harness.invoke(&function, json!({ "repair": true })).await.expect("it audits");
    assert!(answer["repairs_asked"].as_u64().is_some_and(|asked| asked > 0), "{answer}");
    stack.settle().await;
    let after = heads::adoptions(&*stack.engine, vec![order]).await.expect("memory answers");
    assert!(after[&order].head.posting().is_some(), "it is posted again");
    assert!(!names(&report(&stack).await).contains(&"ADOPTION"));
}

#[tokio::test]
async fn an_audit_that_is_ended_goes_on_and_finds_the_same() {
    let stack = Stack::fed(&Plan::deep(6)).await;
    let expected = report(&stack).await;
    let mut invocations = 0;
    let report = loop {
        invocations += 1;
        match audit(&stack, Arc::clone(&stack.engine), 5_060).await {
            Audited::GoesOn { .. } => assert!(invocations < 100, "it never ends"),
            Audited::Complete(report) => break *report,
        }
    };
    assert!(invocations > 2, "{invocations} invocations");
    assert_eq!((report.found, report.posted), (expected.found, expected.posted));
}

#[tokio::test]
async fn what_changed_since_the_audit_began_is_no_difference() {
    let stack = Stack::fed(&Plan::deep(6)).await;
    assert!(matches!(audit(&stack, Arc::clone(&stack.engine), 5_060).await, Audited::GoesOn { .. }));
    let version = domain::VersionTerms {
        number: 2,
        from: Some("2020-02-01".parse().expect("a date")),
        until: None,
        reason: "a test".to_owned(),
        introduced_by: "a test".to_owned(),
        policy: r#"{ "rates": { "personal": "0.69", "operation": "0.13" } }"#.to_owned(),
    };
    stack.command("introduce", domain::log::Command::Introduce(Box::new(version))).await;
    let ended = report(&stack).await;
    assert_eq!(ended.found.differences, []);
    assert!(ended.found.changed_meanwhile > 10, "{ended:?}");
    let next = report(&stack).await;
    assert_eq!((next.found.differences, next.found.changed_meanwhile), (vec![], 0));
}

#[tokio::test]
async fn an_audit_reads_less_than_a_unit_for_each_adoption() {
    let stack =
        Stack::fed(&Plan::large(1, 1_000, 2_000, oracle::generate::Shape::Recent { of_last: 100 })).await;
    let counting = Arc::new(CountedEngine::over(Arc::clone(&stack.engine)));
    let Audited::Complete(report) = audit(&stack, counting.clone(), 900_000).await else {
        panic!("it ended")
    };
    assert_eq!(report.found.differences, []);
    assert!(report.posted > 1_000, "{} posted", report.posted);
    let units = counting.take().read_units;
    println!("{units} read units for {} adoptions", report.posted);
    assert!(units < report.posted, "{units} read units");
}
