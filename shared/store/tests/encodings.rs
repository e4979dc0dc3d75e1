//! The encodings of stored items: their keys, and the beginning of the SHA-256 of their content.
//!
//! A change of one of these lines changes what is stored, so that it says how items of before are read, or that they
//! are made again from the log.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use domain::heads::{AdoptionHead, Closes, Totals, lines_of};
use domain::log::{
    Cause, Command, CommandOutcome, Entry, FirstOrderChange, Held, HoldReason, Page, PageHash,
};
use domain::recalculate::Difference;
use domain::{
    AdoptionRow, BusinessDate, Column, OrderId, Owner, Posting, RowKey, TalentLevel, Team, UnlockedLegs,
    Versions,
};
use store::audit::{AuditFindings, AuditProgress, AuditReport};
use store::fold::AccountFold;
use store::heads::{self, At, LinePage};
use store::inbox::{self, Announcement, StoredCommand};
use store::lists::{self, HeldAdoption, Operation};
use store::marks::{self, Projection};
use store::rows::RowTable;
use store::talent::{
    self, ActiveUntil, Awaiting, Confirmed, Intent, LevelChange, Mark, MarkKind, Talent, TalentCause,
    TalentShards, TalentState,
};
use store::{Change, Condition, Engine, Item, MemoryEngine, Segment, Shard, Table, Write};

const ITEMS: &str = include_str!("encodings.txt");

fn order(number: u64) -> OrderId {
    OrderId::new(number).expect("an order number")
}

fn date(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

/// Returns what a future of the engine in memory gives: it never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("memory answers at once"),
    }
}

fn posting() -> Posting {
    Posting {
        account: "D25122700019".parse().expect("an account"),
        trees: 2,
        total: "45234".parse().expect("an amount"),
        adoption_date: date("2026-01-09"),
        version: 1,
        province: "44".parse().ok(),
        city: None,
        chain: vec!["D25122700018".parse().expect("an account")],
        unlocked: UnlockedLegs::default(),
    }
}

/// Returns the entries of an order that arrives, is posted under a referrer, and of one that is held.
fn entries() -> Vec<Entry> {
    let account = || posting().account;
    let key = || RowKey::new("57");
    let row = AdoptionRow {
        account: Column::Value(account()),
        trees: Column::Value(2),
        price: Column::Value("22617".parse().ok()),
        date: Column::Value(date("2026-01-09")),
        status: "PAID".to_owned(),
        province: "44".parse().ok(),
        city: None,
    };
    let first_order =
        FirstOrderChange { before: None, after: Some(order(57)), referrer: posting().chain.first().cloned() };
    vec![
        Entry::ReferralRow {
            account: account(),
            key: key(),
            row: Some(Some("D25122700018".parse().expect("an account"))),
        },
        Entry::OrderSeen { order: order(57) },
        Entry::AdoptionRow { order: order(57), key: key(), row: Some(Box::new(row)) },
        Entry::Eligible { order: order(57), before: 0, after: 2 },
        Entry::Placed { order: order(57), trees_before: 12, read_through_ms: Some(5) },
        Entry::Posted {
            order: order(57),
            posting: Box::new(posting()),
            first_order: Some(first_order),
            cause: Cause::Row,
        },
        Entry::Held(Held {
            order: order(58),
            reason: HoldReason::NoReferral(account()),
            look_again_ms: None,
        }),
    ]
}

fn writes() -> Vec<Write> {
    let versions = Versions::starting("{}").expect("a policy");
    let mut writes = Vec::new();
    let mut adoption = AdoptionHead::default();
    for owner in ["D25122700019", "HEADQUARTERS"].map(|text| text.parse::<Owner>().expect("an owner")) {
        let mut fold = AccountFold::from(&owner, &At::default());
        for entry in entries() {
            fold.add_entry(7, &entry);
        }
        // So many that some are moved to a page of their own.
        for position in 7..40 {
            for (of, line) in lines_of(&entries()[5], position, 5, 1_000, &versions) {
                if of == owner {
                    fold.add_line(line).expect("an amount");
                }
            }
        }
        let filled = fold.take_filled();
        writes.extend(filled.iter().map(|(number, page)| heads::put_line_page(&owner, *number, page)));
        let (head, position) = fold.head();
        writes.push(heads::put_account(&owner, head, position, 0));
    }
    for entry in entries() {
        adoption.apply(order(57), &entry);
    }
    writes.push(heads::put_adoption(order(57), &adoption, 7, 0));
    let held = HeldAdoption { order: order(58), reason: HoldReason::Status, since_ms: 9 };
    writes.push(lists::put_held(order(58), Some(&held), 7, 9, 4));
    writes.push(lists::put_held(order(59), None, 7, 9_000, 4));
    writes.push(lists::put_operation(&Operation {
        position: 7,
        index: 1,
        time_ms: 9,
        idempotency_key: "k".to_owned(),
        by: "anna".to_owned(),
        reason: "why".to_owned(),
        command: Command::Repair { order: Some(order(57)) },
        outcome: CommandOutcome::Done,
    }));
    writes
}

/// Returns the items of talent: a record with all that it can hold, an earlier change, a mark's cause, an intent,
/// lists.
fn talent_writes() -> Vec<Write> {
    let account = posting().account;
    let change = LevelChange {
        number: 2,
        old_level: TalentLevel::NONE,
        new_level: TalentLevel::new(1),
        direct_count: 3,
        promotion_count: 10,
        cause: TalentCause::TableChanged { version: 2 },
        changed_at_ms: 5,
    };
    let report = Team::default().report(TalentLevel::new(1), true);
    let mut talent = Talent {
        referrer: posting().chain.first().cloned(),
        link_at: 7,
        ring: 3,
        confirmed: Some(Confirmed { to: posting().chain[0].clone(), at: 4, report: report.clone() }),
        level: TalentLevel::new(1),
        awaits_user_since: Some(9),
        active_until_ms: Some(1_000),
        latest_change: Some(change.clone()),
        ..Talent::default()
    };
    talent
        .take_in(&posting().chain[0], None, Some(report), 8)
        .expect("a team only grows by its first report");
    let intent = Intent {
        number: 77,
        accounts: [account.clone()].into(),
        until_ms: 60_000,
        cause: TalentCause::ReferralChanged { account: account.clone() },
    };
    let shards = TalentShards::beside(16);
    vec![
        talent::put(&account, &talent, 8),
        talent::put_change(&account, &change),
        talent::put_intent(&intent, shards),
        talent::put_awaiting(&Awaiting { account: account.clone(), since_revision: 9 }, shards),
        talent::put_active_until(&ActiveUntil { until_ms: 1_000, account }, shards),
    ]
}

async fn store_talent(engine: &dyn Engine) {
    for write in talent_writes() {
        let write = Write { condition: Condition::None, ..write };
        assert_eq!(engine.write(write).await, Ok(store::Written::Done));
    }
    let mark = Mark {
        account: posting().account,
        kind: MarkKind::Rings,
        raised_by: 5,
        cause: TalentCause::ActivityEnded { account: posting().account },
    };
    talent::raise(engine, TalentShards::beside(16), vec![mark]).await.expect("memory");
    let state = TalentState { date: Some(date("2026-02-10")), version: 2, ..TalentState::default() };
    assert_eq!(talent::put_state(engine, &state).await, Ok(true));
}

/// Stores the book of sixteen pages of two lines: one before the first close, one after it.
async fn store_book(engine: &dyn Engine) {
    let versions = Versions::starting("{}").expect("a policy");
    let owner: Owner = "D25122700019".parse().expect("an owner");
    let line = |position| {
        let mut lines = lines_of(&entries()[5], position, 5, 1_000, &versions).into_iter();
        lines.find(|(of, _)| *of == owner).expect("the adopter has a line").1
    };
    let page = LinePage { opening: Totals::default(), lines: vec![line(7), line(9)] };
    let filled = [(owner.clone(), (0..16).map(|number| (number, page.clone())).collect())].into();
    let mut closes = Closes::default();
    closes.insert(8, date("2026-01-10"));
    for write in store::books::completed(engine, &filled, &closes).await.expect("memory") {
        assert_eq!(engine.write(write).await, Ok(store::Written::Done));
    }
}

async fn stored(engine: &dyn Engine) {
    store_talent(engine).await;
    store_book(engine).await;
    for written in engine.write_many(writes()).await {
        assert_eq!(written, Ok(store::Written::Done));
    }
    let page = Page { position: 1, previous: PageHash::default(), time_ms: 5, entries: entries() };
    assert_eq!(store::log::put(engine, &page).await, Ok(store::Written::Done));
    marks::advance(engine, vec![Projection::Heads(Shard::of("a", 4)), Projection::Dates], 7)
        .await
        .expect("memory");
    let rows = Announcement::Rows(vec![(RowTable::Adoptions, RowKey::new("57"))]);
    inbox::announce(engine, "0001".to_owned(), &rows).await.expect("memory");
    let command = StoredCommand {
        by: "anna".to_owned(),
        reason: "why".to_owned(),
        command: Command::Note { text: "a word".to_owned() },
        answer: Some((CommandOutcome::Refused { reason: "no".to_owned() }, 7)),
        change: None,
    };
    inbox::ask(engine, "k", &command).await.expect("memory");
    let found = AuditFindings {
        differences: vec![Difference::AdoptionHead { order: order(57) }],
        ..AuditFindings::default()
    };
    let progress = AuditProgress {
        began_ms: 1,
        position: 7,
        date: date("2026-02-10"),
        segment: 3,
        after: Some(("p".to_owned(), "s".to_owned())),
        found: found.clone(),
        revision: 0,
    };
    let report = AuditReport {
        began_ms: 1,
        ended_ms: 2,
        position: 7,
        date: date("2026-02-10"),
        posted: 1,
        found,
        was_correcting: false,
        places: vec![(order(57), 12, 13)],
        places_that_differ: 1,
        talents: Some(3),
    };
    store::audit::finish(engine, &AuditProgress { revision: 9, ..progress.clone() }, &report)
        .await
        .expect("memory");
    let put = store::audit::put_progress(engine, &progress).await.expect("memory");
    assert_eq!(put.map(|put| put.revision), Some(store::audit::first_revision(progress.began_ms)));
}

#[test]
fn stored_items_are_encoded_as_those_there_are() {
    let engine = MemoryEngine::default();
    now(stored(&engine));
    let mut lines = Vec::new();
    for table in Table::ALL {
        let page = now(engine.scan(table, Segment::WHOLE, None)).expect("memory");
        assert!(page.next.is_none(), "all of {} fits a page", table.logical_name());
        let line = |item: &Item| {
            format!("{} {} {}", item.key, item.revision, &PageHash::of(&item.body).to_string()[..16])
        };
        lines.extend(page.items.iter().map(line));
    }
    lines.sort();
    let actual = lines.join("\n");
    assert_eq!(actual, ITEMS.trim_end(), "the items are now\n{actual}\n");
}

#[test]
fn what_was_stored_before_its_type_had_its_last_member_is_read_without_it() {
    let engine = MemoryEngine::default();
    now(stored(&engine));
    let shortened = |partition: &str| {
        let table = if partition == "AUDIT_REPORTS" { Table::Ledger } else { Table::Source };
        let page = now(engine.query(store::Query::partition(table, partition))).expect("memory");
        page.items[0].clone()
    };
    // `None` is one byte, and `Some(3)` two.
    for (partition, last_member) in [("COMMAND#k", 1), ("AUDIT_REPORTS", 2)] {
        let mut item = shortened(partition);
        item.body.truncate(item.body.len() - last_member);
        assert_eq!(now(engine.write(Write::put(item, store::Condition::None))), Ok(store::Written::Done));
    }
    let command = now(inbox::command(&engine, "k")).expect("readable").expect("it is there");
    assert_eq!((command.by.as_str(), command.change), ("anna", None));
    let reports = now(store::audit::reports(&engine, 1)).expect("readable");
    assert_eq!((reports[0].places_that_differ, reports[0].talents), (1, None));
}

#[test]
fn a_head_is_at_most_a_write_unit_until_its_lines_are_moved() {
    let of_head = |write: &Write| match &write.change {
        Change::Put(item) => {
            heads::owner_of(item).filter(|owner| matches!(owner, Owner::User(_))).map(|_| item.stored_bytes())
        }
        Change::Delete(_) => None,
    };
    let bytes: Vec<usize> = writes().iter().filter_map(of_head).collect();
    assert!(!bytes.is_empty() && bytes.iter().all(|bytes| *bytes <= 1_024), "{bytes:?}");
}
