//! The function over a log that is made by hand, through the event of its schedule.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use domain::log::{AdjustmentTerms, CloseTerms, Command, CommandOutcome, Entry, Page, PageHash};
use domain::{BusinessDate, VersionTerms};
use runtime::{Clock, Context, FixedClock, Function, MemoryQueues, Message, Queue, Settings};
use serde_json::{Value, json};
use store::inbox::{self, Announcement};
use store::marks::{self, Projection};
use store::{Engine, MemoryEngine, Written, dates};

const SCHEDULE: &str = include_str!("../../../events/schedule-expiry.json");

struct Stage {
    engine: Arc<MemoryEngine>,
    queues: Arc<MemoryQueues>,
    function: Arc<dyn Function>,
    invocations: Mutex<u32>,
}

impl Stage {
    fn new() -> Self {
        Self {
            engine: Arc::default(),
            queues: Arc::default(),
            function: contribution_expiry::build(&Settings::default()).expect("a function"),
            invocations: Mutex::new(0),
        }
    }

    async fn page(&self, position: u64, entries: Vec<Entry>) {
        let page = Page { position, previous: PageHash::default(), time_ms: 5, entries };
        assert_eq!(store::log::put(&*self.engine, &page).await, Ok(Written::Done));
    }

    /// Invokes the function and returns what it sent.
    async fn invoke_at(&self, now: &str) -> Vec<(Queue, Message)> {
        let clock = Arc::new(FixedClock(now.parse().expect("a time")));
        let number = {
            let mut invocations = self.invocations.lock().expect("no other test");
            *invocations += 1;
            *invocations
        };
        let context = Context {
            deadline: clock.now() + TimeDelta::seconds(60),
            clock,
            engine: self.engine.clone(),
            queues: self.queues.clone(),
            request_id: format!("request-{number}"),
        };
        let event: Value = serde_json::from_str(SCHEDULE).expect("JSON");
        let answer = self.function.handle(event, &context).await;
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
        self.queues.take()
    }

    async fn mark(&self) -> u64 {
        marks::read(&*self.engine).await.expect("marks").of(&Projection::Dates)
    }
}

fn date(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

fn moved(effective: &str, expire: Option<&str>) -> Entry {
    Entry::Adjusted(Box::new(AdjustmentTerms {
        giver: "A".parse().expect("an owner"),
        receiver: "B".parse().expect("an owner"),
        amount: "1".parse().expect("an amount"),
        effective_date: date(effective),
        expire_date: expire.map(date),
        reference: "a test".to_owned(),
    }))
}

fn closed(day: &str) -> Entry {
    Entry::Close(CloseTerms { date: date(day), previous: None, previous_cut: 0, progress: Vec::new() })
}

#[tokio::test]
async fn pages_are_found_by_the_dates_on_which_their_legs_begin_and_end() {
    let stage = Stage::new();
    stage.page(1, vec![moved("2026-02-10", Some("2026-02-12")), moved("2026-02-10", None)]).await;
    stage.page(2, vec![moved("2026-02-11", Some("2026-02-12"))]).await;
    stage.page(3, vec![Entry::OrderSeen { order: "7".parse().expect("an order") }]).await;
    stage.page(4, vec![moved("2026-02-10", Some("2026-02-10"))]).await;
    stage.invoke_at("2026-02-09T00:00:00Z").await;
    assert_eq!(stage.mark().await, 4);
    let pages = async |day: &str| dates::pages_of(&*stage.engine, date(day)).await.expect("pages");
    assert_eq!(pages("2026-02-10").await, [1, 4]);
    assert_eq!(pages("2026-02-11").await, [2]);
    assert_eq!(pages("2026-02-12").await, [1, 2]);
    assert_eq!(pages("2026-02-13").await, [0_u64; 0]);
    // What comes later is added, and what was there stays.
    stage.page(5, vec![moved("2026-02-12", None)]).await;
    stage.invoke_at("2026-02-09T00:01:00Z").await;
    assert_eq!(pages("2026-02-12").await, [1, 2, 5]);
    assert_eq!(pages("2026-02-10").await, [1, 4]);
}

#[tokio::test]
async fn terms_follow_the_version_that_judges_the_adoption() {
    let stage = Stage::new();
    let versions = domain::Versions::starting("{}").expect("a policy");
    let terms = VersionTerms {
        number: 2,
        from: Some(date("2026-03-01")),
        until: None,
        reason: "a test".to_owned(),
        introduced_by: "a test".to_owned(),
        policy: r#"{"term_years": 1}"#.to_owned(),
    };
    stage.page(1, vec![Entry::VersionIntroduced(Box::new(terms))]).await;
    stage.invoke_at("2026-02-09T00:00:00Z").await;
    // The page of the version is not read again.
    let posting = domain::Posting {
        account: "A".parse().expect("an account"),
        trees: 1,
        total: "100".parse().expect("an amount"),
        adoption_date: date("2026-03-05"),
        version: 2,
        province: None,
        city: None,
        chain: Vec::new(),
        unlocked: domain::UnlockedLegs::default(),
    };
    let posted = Entry::Posted {
        order: "1".parse().expect("an order"),
        posting: Box::new(posting),
        first_order: None,
        cause: domain::log::Cause::Row,
    };
    stage.page(2, vec![posted]).await;
    stage.invoke_at("2026-02-09T00:01:00Z").await;
    assert_eq!(dates::pages_of(&*stage.engine, date("2027-03-06")).await, Ok(vec![2]));
    let known = dates::versions(&*stage.engine, versions).await.expect("versions");
    assert_eq!((known.all().iter().count(), known.up_to(0).iter().count()), (2, 1));
}

#[tokio::test]
async fn a_date_that_has_begun_in_the_business_time_zone_is_asked_for_once() {
    let stage = Stage::new();
    stage.page(1, vec![closed("2026-02-09")]).await;
    let sent = stage.invoke_at("2026-02-09T15:59:00Z").await;
    let queues: Vec<Queue> = sent.iter().map(|(queue, _)| *queue).collect();
    assert_eq!(queues, [Queue::Closings], "the close is new, and midnight in Shanghai has not come");

    let sent = stage.invoke_at("2026-02-09T16:00:00Z").await;
    let [(Queue::Decisions, message)] = &sent[..] else { panic!("{sent:?}") };
    let first = message.group.clone().expect("a group");
    assert_eq!(first.0, "decider");
    let command =
        inbox::command(&*stage.engine, "close-2026-02-10").await.expect("read").expect("it is asked");
    assert_eq!(command.command, Command::Close { until: date("2026-02-10"), source_is_complete: false });

    // The decider has not taken it in: it is announced again, under the same key, with a wake-up of its own.
    let (announced, _) = inbox::read(&*stage.engine, 10).await.expect("announcements");
    assert_eq!(announced.len(), 1);
    assert_eq!(announced[0].announcement, Announcement::Command("close-2026-02-10".to_owned()));
    let sent = stage.invoke_at("2026-02-09T16:01:00Z").await;
    let second = sent[0].1.group.clone().expect("a group");
    assert_ne!(first.1, second.1, "an id that was never used before");

    let answered = inbox::StoredCommand { answer: Some((CommandOutcome::Done, 2)), ..command };
    inbox::answer(&*stage.engine, "close-2026-02-10", &answered).await.expect("it is answered");
    assert_eq!(stage.invoke_at("2026-02-09T16:02:00Z").await, [], "the decider knows");
    stage.page(2, vec![closed("2026-02-10")]).await;
    let sent = stage.invoke_at("2026-02-09T16:03:00Z").await;
    assert!(matches!(&sent[..], [(Queue::Closings, _)]), "{sent:?}");
    assert_eq!(dates::latest_close(&*stage.engine).await.expect("read").expect("a close").position, 2);
}

#[tokio::test]
async fn many_pages_of_one_date_are_kept_in_chunks_and_repeating_changes_nothing() {
    let stage = Stage::new();
    // Every other page concerns the date, so that no two of them are one range.
    let count = 2_600_u64;
    for position in 1..=count {
        let other = format!("2026-{:02}-15", 3 + position % 9);
        let entry = if position % 2 == 0 { moved("2026-02-10", None) } else { moved(&other, None) };
        stage.page(position, vec![entry]).await;
    }
    stage.invoke_at("2026-02-09T00:00:00Z").await;
    let expected: Vec<u64> = (1..=count).filter(|position| position % 2 == 0).collect();
    assert_eq!(dates::pages_of(&*stage.engine, date("2026-02-10")).await, Ok(expected.clone()));

    // An earlier run comes again, after its end or beside another one.
    let twice = Stage::new();
    for position in 1..=count {
        let page = store::log::read_at(&*stage.engine, vec![position]).await.expect("a page").remove(0);
        assert_eq!(store::log::put(&*twice.engine, &page).await, Ok(Written::Done));
    }
    let versions = domain::Versions::starting("{}").expect("a policy");
    while twice.mark().await < count {
        let project = || dates::project(&*twice.engine, versions.clone());
        let (one, other) = tokio::join!(project(), project());
        assert!(one.is_ok() && other.is_ok());
        let mark = twice.mark().await;
        if mark % 500 == 0 {
            // A run that was ended before its mark.
            let key = store::Key::new(store::Table::Ledger, "MARKS", "DATES");
            let item = store::Item::new(key, mark - 100, Vec::new());
            let put = store::Write::put(item, store::Condition::None);
            assert_eq!(twice.engine.write(put).await, Ok(Written::Done));
            assert!(project().await.is_ok());
        }
    }
    assert_eq!(dates::pages_of(&*twice.engine, date("2026-02-10")).await, Ok(expected));
    for month in 3..12 {
        let day = date(&format!("2026-{month:02}-15"));
        let once = dates::pages_of(&*stage.engine, day).await;
        assert_eq!(dates::pages_of(&*twice.engine, day).await, once);
    }
}
