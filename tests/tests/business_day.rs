//! The business day, end to end: what closes, when, and that nothing about how it is done shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::Utc;
use contribution::capture::Capture;
use contribution::close::close_until;
use contribution::endpoints::{self, Clients, Storage};
use contribution::functions::{Function, Functions, environment};
use contribution::resources::{self, Created};
use contribution::stack::{Options, Stack};
use contribution::template::Template;
use contribution::{export, replay};
use ledger::export::{ExportFormat, export_snapshot};
use ledger::queue::{CloseRequest, Release};
use ledger::rules::{
    AccountSequence, Amount, BusinessDate, CloseStep, Owner, Policy, Ratio, SystemAccount, Term,
};
use ledger::store::{
    AccountChange, Action, BatchWrite, CloseState, DailySnapshotCreated, Item, Key, OutstandingTree,
    ReferralRecord, SegmentState, Shard, SnapshotPosition, SnapshotRow, Store, SystemShareChange, Transacted,
    TreeId, WorkItem,
};
use serde_json::{Value, json};

mod golden {
    use super::*;

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/captures").join(name)
    }

    /// Replays a capture, closes the dates from `first` (or the earliest) to `as_of`, and exports.
    async fn exported(capture: &str, first: Option<&str>, as_of: &str) -> Value {
        let mut options = Options::new(Storage::Ephemeral);
        options.parameters.extend(first.map(|first| ("FirstCloseDate".to_owned(), first.to_owned())));
        let stack = Stack::start(&options).await.expect("the stack starts");
        let capture = Capture::read(&file(&format!("{capture}.jsonl"))).expect("a capture");
        replay::replay(&stack, &[capture]).await.expect("the capture is replayed");
        close_until(&stack, date(as_of), Release::SourceIsComplete).await.expect("the dates close");
        let export = export::export(stack.store(), &stack.environment().policy).await.expect("an export");
        serde_json::to_value(export).expect("JSON")
    }

    async fn assert_golden(capture: &str, first: Option<&str>) {
        let exported = exported(capture, first, "2026-02-10").await;
        let expected = std::fs::read_to_string(file(&format!("{capture}.expected.json"))).expect("a file");
        let expected: Value = serde_json::from_str(&expected).expect("JSON");
        for (account, wanted) in expected["accounts"].as_object().expect("an object") {
            assert_eq!(&exported["accounts"][account], wanted, "{capture}: {account}");
        }
        assert_eq!(exported["snapshot"], expected["snapshot"], "{capture}: the snapshot");
        assert_eq!(exported["system"], expected["system"], "{capture}: the system accounts");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_ordering_incident_comes_out_exactly_when_every_date_is_closed() {
        assert_golden("ordering-incident", None).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flattened_orders_with_regions_come_out_exactly_when_closing_begins_late() {
        assert_golden("flattened-regions", Some("2026-02-08")).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn once_everything_has_expired_only_headquarters_is_effective_and_totals_are_unchanged() {
        // The contributions expire from 2 January to 31 January 2028: some before closing begins.
        let expired = exported("flattened-regions", Some("2028-01-20"), "2028-02-01").await;
        let headquarters = &expired["system"]["HEADQUARTERS"];
        assert_eq!(
            expired["snapshot"],
            json!({
                "date": "2028-02-01",
                "network_total": headquarters,
                "rows": { "HEADQUARTERS": { "effective": headquarters, "ratio": "1.000000000000000000" } },
            })
        );
        let expected = std::fs::read_to_string(file("flattened-regions.expected.json")).expect("a file");
        let expected: Value = serde_json::from_str(&expected).expect("JSON");
        assert_eq!(expired["system"], expected["system"]);
        assert_eq!(expired["distributions"], expected["distributions"]);
        for (account, wanted) in expected["accounts"].as_object().expect("an object") {
            let mut wanted = wanted.clone();
            wanted["effective"] = "0.0000000000".into();
            assert_eq!(expired["accounts"][account], wanted, "{account}");
        }
    }
}

/// The two functions that close dates, on tables of their own, with their queues delivered by hand.
struct World {
    clients: Clients,
    created: Created,
    functions: Functions,
    store: Store,
}

/// Messages that were taken from the queues and not dealt with yet: each with its function.
type InFlight = Vec<(Function, Value)>;

impl World {
    async fn new(segments: u32, first_date: &str) -> Self {
        Self::stored(segments, first_date, &Storage::Ephemeral).await
    }

    async fn stored(segments: u32, first_date: &str, storage: &Storage) -> Self {
        let parameters = [
            ("CloseSegments", segments.to_string()),
            ("FirstCloseDate", first_date.to_owned()),
            // Whatever is not done is sent again with every call of the schedule.
            ("WakeAgainAfterMs", "0".to_owned()),
        ];
        let template = Template::load(&parameters).expect("a template");
        let clients = endpoints::start(storage).await.expect("services start");
        let created = resources::create(&template, &clients).await.expect("tables are created");
        let functions = Functions::new(&template, &clients, &created, None).expect("functions");
        let store = environment(&template, &clients, &created, "CdcIngest").expect("an environment").store;
        Self { clients, created, functions, store }
    }

    /// Posts an amount to a user and, as every adoption does, something to system accounts.
    async fn post(&self, account: &str, effective: &str, amount: &str, trees: i64) {
        let (account, effective): (AccountSequence, _) = (parse(account), date(effective));
        let units: Amount = parse(amount);
        let pending = BTreeMap::from([(effective, units)]);
        let change = AccountChange {
            personal: units,
            pending: pending.clone(),
            pending_trees: BTreeMap::from([(effective, trees)]),
            ..AccountChange::default()
        };
        let shard = Shard::of_tree(&TreeId::below(account.clone()));
        let mut actions = vec![change.write(&account)];
        for system in ["OPERATION", "CITY:430100", "HEADQUARTERS"] {
            let added = SystemShareChange { total: units, pending: pending.clone(), ..Default::default() };
            actions.push(added.write(shard, &parse(system)));
        }
        assert_eq!(self.store.transact(actions).await.expect("storage"), Transacted::Committed);
    }

    /// Puts accounts into the forest, each below the one before it.
    async fn refer(&self, chain: &[&str]) {
        let mut above: Option<(AccountSequence, ledger::store::Lineage)> = None;
        for account in chain {
            let account: AccountSequence = parse(account);
            let lineage = match &above {
                None => ledger::store::Lineage::root(account.clone(), None),
                Some((referrer, lineage)) => lineage.of_child(referrer, None),
            };
            let record = ReferralRecord {
                referrer: above.as_ref().map(|(referrer, _)| referrer.clone()),
                lineage: Some(lineage.clone()),
                ..ReferralRecord::unknown(account.clone())
            };
            let _ = self.store.apply(record.write_next().expect("a write")).await.expect("storage");
            above = Some((account, lineage));
        }
    }

    /// Has an adoption released to an account's tree and not posted; its row is unknown, so that it may be of
    /// any date.
    async fn leave_work_to(&self, account: &str) -> WorkItem {
        let tree = TreeId::below(parse(account));
        let work = WorkItem {
            order: parse("57"),
            revision: 1,
            account: parse(account),
            ancestors: Vec::new(),
            trees: vec![tree.clone()],
            again: false,
        };
        let record = json!({
            "order": 57, "revision": 1, "stage": "RELEASED", "released": true,
            "version": { "s": "s", "t": "t", "p": 0, "o": 0 },
        });
        let actions = vec![
            Action::put(work.item()).expect("a write"),
            Action::put(Item::encode(&Key::adoption(work.order), &record)).expect("a write"),
            OutstandingTree::release(&tree, Utc::now().timestamp_millis()),
        ];
        assert_eq!(self.store.transact(actions).await.expect("storage"), Transacted::Committed);
        work
    }

    /// Calls both functions as their schedules do.
    async fn call(&self, until: &str) {
        for call in self.calls(until) {
            call.0.invoke(call.1).await.expect("the invocation works");
        }
    }

    fn calls(&self, until: &str) -> [(Function, Value); 2] {
        let request = CloseRequest { until: Some(date(until)), release: Some(Release::SourceIsComplete) };
        let request = serde_json::to_value(request).expect("JSON");
        [(self.functions.expiry.clone(), request), (self.functions.snapshot.clone(), json!({}))]
    }

    /// Takes what is in the queues.
    async fn receive(&self) -> InFlight {
        let mut received = Vec::new();
        let queues =
            [("ExpirySegments", &self.functions.expiry), ("SnapshotSegments", &self.functions.snapshot)];
        for (queue, function) in queues {
            let url = self.created.queue_url(queue).expect("a queue");
            loop {
                let output = self.clients.sqs.receive_message().queue_url(url).max_number_of_messages(10);
                let messages = output.send().await.expect("the queue works").messages.unwrap_or_default();
                if messages.is_empty() {
                    break;
                }
                for message in messages {
                    let event = json!({ "Records": [{ "messageId": "m", "body": message.body }] });
                    received.push((function.clone(), event));
                    let handle = message.receipt_handle.expect("a handle");
                    let delete = self.clients.sqs.delete_message().queue_url(url).receipt_handle(handle);
                    delete.send().await.expect("the queue works");
                }
            }
        }
        received
    }

    /// Closes every date up to this one.
    async fn close(&self, until: &str) {
        self.call(until).await;
        loop {
            let messages = self.receive().await;
            if messages.is_empty() {
                break;
            }
            for (function, event) in messages {
                let response = function.invoke(event).await.expect("the invocation works");
                assert_eq!(response, json!({ "batchItemFailures": [] }));
            }
        }
        assert_eq!(self.store.latest_closed_date().await.expect("storage"), Some(date(until)));
    }

    async fn state(&self) -> CloseState {
        self.store.latest_close().await.expect("storage").expect("a close")
    }

    /// A closed date's rows and totals, without the time it was closed at.
    async fn snapshot(&self, at: &str) -> (DailySnapshotCreated, BTreeMap<Owner, SnapshotRow>) {
        let totals = self.store.snapshot_totals(date(at)).await.expect("storage");
        let totals = totals.unwrap_or_else(|| panic!("{at} is closed"));
        let mut rows = BTreeMap::new();
        let mut position = Some(SnapshotPosition::default());
        while let Some(start) = position {
            let page = self.store.snapshot_page(&totals, start, 7).await.expect("storage");
            for row in page.rows {
                assert!(rows.insert(row.account.clone(), row).is_none(), "no page repeats a row");
            }
            position = page.next;
        }
        let ratios = rows.values().try_fold(Ratio::ZERO, |sum, row| sum.checked_add(row.contribution_ratio));
        let whole = if rows.is_empty() { Ratio::ZERO } else { Ratio::ONE };
        assert_eq!(ratios, Some(whole), "the ratios of {at} sum to one");
        let sum = Amount::sum(rows.values().map(|row| row.effective_contribution)).expect("small");
        assert_eq!(sum, totals.network_total_contribution);
        (DailySnapshotCreated { closed_at_ms: 0, ..totals }, rows)
    }

    async fn effective(&self, account: &str) -> Amount {
        let accounts = self.store.accounts([parse(account)]).await.expect("storage");
        accounts[&parse::<AccountSequence>(account)].effective
    }

    async fn trees(&self, account: &str, at: &str) -> (Vec<u64>, u64) {
        let team = self.store.team_statistics(&parse(account), date(at), 15).await.expect("storage");
        (team.trees_at_level[..3].to_vec(), team.direct_adopted_referrals)
    }
}

fn date(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

fn parse<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text:?} can be read"))
}

fn amount(text: &str) -> Amount {
    parse(text)
}

/// Adoptions around a leap day and a year's end: account, effective date and amount.
fn postings() -> Vec<(String, String, String)> {
    let dates =
        ["2028-02-27", "2028-02-28", "2028-02-29", "2028-03-01", "2030-02-27", "2030-02-28", "2030-03-01"];
    let mut postings = Vec::new();
    for number in 0..60 {
        let account = format!("A{:02}", number % 25);
        let at = dates[(number * 5 + number / 7) % dates.len()];
        postings.push((account, at.to_owned(), format!("{}.{:010}", 1 + number * number, 3 * number + 1)));
    }
    postings
}

/// What is active of each user on a date, straight from the postings.
fn active_on(at: &str) -> BTreeMap<String, Amount> {
    let mut sums: BTreeMap<String, Amount> = BTreeMap::new();
    for (account, effective, units) in postings() {
        if Term::starting(date(&effective), 2).is_active_on(date(at)) {
            let sum = sums.entry(account).or_default();
            *sum = sum.checked_add(amount(&units)).expect("small");
        }
    }
    sums
}

const FIRST: &str = "2030-02-26";
const LAST: &str = "2030-03-02";
const DATES: [&str; 5] = ["2030-02-26", "2030-02-27", "2030-02-28", "2030-03-01", "2030-03-02"];

async fn world_with_postings(segments: u32) -> World {
    let world = World::new(segments, FIRST).await;
    let accounts: BTreeSet<String> = postings().into_iter().map(|(account, ..)| account).collect();
    let chain: Vec<&str> = accounts.iter().map(String::as_str).collect();
    world.refer(&chain).await;
    for (account, effective, units) in postings() {
        world.post(&account, &effective, &units, 1).await;
    }
    world
}

type Snapshots = Vec<(DailySnapshotCreated, BTreeMap<Owner, SnapshotRow>)>;

async fn snapshots(world: &World) -> Snapshots {
    let mut all = Vec::new();
    for at in DATES {
        all.push(world.snapshot(at).await);
    }
    all
}

#[tokio::test]
async fn a_snapshot_has_what_is_active_around_a_leap_day_whatever_the_number_of_segments() {
    let world = world_with_postings(1).await;
    world.close(LAST).await;
    let once = snapshots(&world).await;
    for (at, (totals, rows)) in DATES.iter().zip(&once) {
        let users: BTreeMap<String, Amount> = rows
            .values()
            .filter(|row| matches!(row.account, Owner::User(_)))
            .map(|row| (row.account.to_string(), row.effective_contribution))
            .collect();
        assert_eq!(users, active_on(at), "{at}");
        let operation = &rows[&Owner::System(SystemAccount::Operation)];
        assert_eq!(operation.effective_contribution, totals.user_total_contribution, "{at}");
    }
    for segments in [3, 17] {
        let world = world_with_postings(segments).await;
        world.close(LAST).await;
        assert_eq!(snapshots(&world).await, once, "{segments} segments");
        assert_eq!(world.trees("A01", LAST).await, self::expected_trees_of_a01(), "{segments} segments");
    }
}

/// A02 is the direct referral of A01, A03 is hers, and A04 theirs; each posting is one tree.
fn expected_trees_of_a01() -> (Vec<u64>, u64) {
    let trees = |name: &str| postings().iter().filter(|(account, ..)| account == name).count() as u64;
    (vec![trees("A02"), trees("A03"), trees("A04")], 1)
}

#[tokio::test]
async fn a_snapshot_is_the_same_when_it_is_taken_on_its_day_and_when_it_is_taken_later() {
    let later = world_with_postings(2).await;
    later.close(LAST).await;

    // Here each date is closed before the next date's adoptions are posted.
    let world = World::new(2, FIRST).await;
    let accounts: BTreeSet<String> = postings().into_iter().map(|(account, ..)| account).collect();
    world.refer(&accounts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut posted = BTreeSet::new();
    for at in DATES {
        for (number, (account, effective, units)) in postings().into_iter().enumerate() {
            if effective.as_str() <= at && posted.insert(number) {
                world.post(&account, &effective, &units, 1).await;
            }
        }
        world.close(at).await;
    }
    assert_eq!(snapshots(&world).await, snapshots(&later).await);
    assert_eq!(world.trees("A01", LAST).await, later.trees("A01", LAST).await);
}

/// Kills an invocation when it has made so many storage calls. Whether it ended before.
async fn kill_at_call(calls: u64, function: &Function, event: Value) -> bool {
    let last = function.meter.cost().calls + calls;
    let mut invocation = Box::pin(function.invoke(event));
    loop {
        if futures::poll!(&mut invocation).is_ready() {
            return true;
        }
        if function.meter.cost().calls >= last {
            // The call was sent: whether it takes effect before the caller is gone is open, as in life.
            return false;
        }
        tokio::time::sleep(std::time::Duration::from_micros(200)).await;
    }
}

#[tokio::test]
async fn of_two_who_work_on_a_segment_the_one_who_wrote_first_goes_on() {
    let world = World::new(1, FIRST).await;
    let (at, step) = (date(FIRST), CloseStep::Activating);
    let mut one = world.store.close_segment(at, step, 0).await.expect("storage");
    let other = one.clone();
    let committed = world.store.transact(vec![one.fence(at, step, 0)]).await.expect("storage");
    assert_eq!(committed, Transacted::Committed);
    one.revision += 1;
    let outcome = world.store.transact(vec![other.fence(at, step, 0)]).await.expect("storage");
    assert_eq!(outcome, Transacted::ConditionsFailed(vec![0]));
    let apply = async |state: &SegmentState| {
        world.store.apply(state.write_next(at, step, 0).expect("a write")).await.expect("storage")
    };
    assert!(!apply(&other).await, "its sum does not know what the other took");
    one.done = Some(true);
    assert!(apply(&one).await);
    let done = world.store.close_segment(at, step, 0).await.expect("storage");
    assert!(done.is_done() && !apply(&done).await, "what is done stays as it is");
}

#[tokio::test]
async fn the_first_close_begins_with_the_earliest_date_whichever_was_posted_first() {
    let world = World::new(2, "").await;
    world.refer(&["A01", "A02"]).await;
    world.post("A02", "2026-01-10", "7", 1).await;
    let work = world.leave_work_to("A01").await;
    world.call("2026-01-11").await;
    let state = world.state().await;
    assert_eq!((state.date, state.step), (date("2026-01-10"), CloseStep::Waiting));
    world.post("A01", "2026-01-08", "5", 1).await;
    let tree = world.store.outstanding_tree(work.tree()).await.expect("storage").expect("a tree with work");
    world.store.batch_write(vec![BatchWrite::Delete(work.key())]).await.expect("storage");
    assert!(world.store.settle_tree(&tree).await.expect("storage"));
    world.call("2026-01-11").await;
    assert_eq!(world.state().await.date, date("2026-01-08"));
    world.close("2026-01-11").await;
    let dates = world.store.closed_dates().await.expect("storage").expect("closed dates");
    assert_eq!((dates.first, dates.last), (date("2026-01-08"), date("2026-01-11")));
    let (_, rows) = world.snapshot("2026-01-09").await;
    assert_eq!(rows[&parse::<Owner>("A01")].effective_contribution, amount("5"));
}

#[tokio::test]
async fn killed_anywhere_and_begun_again_the_outcome_is_the_same() {
    let undisturbed = world_with_postings(3).await;
    undisturbed.close(LAST).await;

    let world = world_with_postings(3).await;
    let mut calls = 0;
    let mut kills = 0;
    while world.store.latest_closed_date().await.expect("storage") != Some(date(LAST)) {
        // Whatever a killed invocation leaves undone is found by the schedule's next call.
        for (function, event) in world.calls(LAST).into_iter().chain(world.receive().await) {
            // Every invocation gets a little further than the one before, until it gets through.
            calls = calls % 61 + 3;
            kills += usize::from(!kill_at_call(calls, &function, event).await);
        }
    }
    assert!(kills > 10, "only {kills} invocations were killed");
    assert_eq!(snapshots(&world).await, snapshots(&undisturbed).await);
    for account in ["A00", "A01", "A07"] {
        assert_eq!(world.effective(account).await, undisturbed.effective(account).await);
        assert_eq!(world.trees(account, LAST).await, undisturbed.trees(account, LAST).await);
    }
}

#[tokio::test]
async fn invoked_twice_and_at_the_same_time_the_outcome_is_the_same() {
    let undisturbed = world_with_postings(3).await;
    undisturbed.close(LAST).await;

    let world = world_with_postings(3).await;
    let mut earlier: InFlight = Vec::new();
    while world.store.latest_closed_date().await.expect("storage") != Some(date(LAST)) {
        let new = world.receive().await;
        // Every message is delivered twice at once, and once more when others came after it.
        let twice = new.iter().chain(&new).chain(&earlier).cloned();
        let deliveries = world.calls(LAST).into_iter().chain(world.calls(LAST)).chain(twice);
        futures::future::join_all(deliveries.map(|(function, event)| async move {
            function.invoke(event).await.expect("the invocation works");
        }))
        .await;
        earlier = new;
    }
    assert_eq!(snapshots(&world).await, snapshots(&undisturbed).await);
    assert_eq!(world.trees("A01", LAST).await, undisturbed.trees("A01", LAST).await);
    assert_eq!(world.effective("A07").await, undisturbed.effective("A07").await);
}

#[tokio::test]
async fn postings_while_a_date_closes_lose_nothing_and_double_nothing() {
    let world = world_with_postings(2).await;
    let close = async {
        let mut closed = 0;
        while world.store.latest_closed_date().await.expect("storage") != Some(date(FIRST)) {
            world.call(FIRST).await;
            for (function, event) in world.receive().await {
                function.invoke(event).await.expect("the invocation works");
                closed += 1;
            }
        }
        closed
    };
    let post = async {
        for _ in 0..40 {
            world.post("A03", "2030-02-20", "1", 0).await;
        }
    };
    tokio::join!(close, post);
    // Rows and totals of the date agree, whatever was posted when.
    world.snapshot(FIRST).await;
    world.close("2030-02-27").await;
    let wanted = active_on("2030-02-27")["A03"].checked_add(amount("40")).expect("small");
    assert_eq!(world.effective("A03").await, wanted);
    world.snapshot("2030-02-27").await;
}

#[tokio::test]
async fn what_is_posted_after_its_close_enters_with_the_next_and_says_which_dates_it_missed() {
    let world = World::new(2, "2026-12-29").await;
    world.refer(&["A", "B"]).await;
    world.post("B", "2026-12-29", "10", 2).await;
    world.close("2027-01-02").await;
    let before = world.snapshot("2026-12-31").await;
    assert_eq!(world.trees("A", "2027-01-02").await, (vec![2, 0, 0], 1));

    // An adoption of 29 December arrives, the first is taken back, and one of 2024 expired long ago.
    world.post("A", "2026-12-30", "5", 1).await;
    world.post("B", "2026-12-29", "-10", -2).await;
    world.post("A", "2024-12-30", "7", 1).await;
    world.close("2027-01-03").await;

    assert_eq!(world.snapshot("2026-12-31").await, before, "a closed snapshot is never rewritten");
    assert_eq!(world.effective("A").await, amount("5"));
    assert_eq!(world.effective("B").await, amount("0"));
    assert_eq!(world.trees("A", "2027-01-02").await, (vec![2, 0, 0], 1));
    assert_eq!(world.trees("A", "2027-01-03").await, (vec![0, 0, 0], 0));

    let late = world.store.late_amounts(date("2027-01-03")).await.expect("storage");
    let of_users: Vec<String> = late
        .iter()
        .filter(|(holder, _)| holder.system_kind().is_none())
        .map(|(holder, late)| format!("{holder} {} {} to {}", late.amount, late.first_date, late.last_date))
        .collect();
    assert_eq!(
        of_users,
        [
            "A 7.0000000000 2026-12-29 to 2026-12-29",
            "A 5.0000000000 2026-12-30 to 2027-01-02",
            "B -10.0000000000 2026-12-29 to 2027-01-02",
        ]
    );
    assert_eq!(world.store.late_amounts(date("2027-01-02")).await.expect("storage"), []);
}

#[tokio::test]
async fn what_is_taken_back_after_it_expired_changes_nothing() {
    let world = World::new(2, "2030-02-26").await;
    world.refer(&["A"]).await;
    world.post("A", "2028-02-27", "10", 1).await;
    world.close("2030-02-27").await;
    assert_eq!(world.effective("A").await, amount("0"));
    world.post("A", "2028-02-27", "-10", -1).await;
    world.close("2030-02-28").await;
    assert_eq!(world.effective("A").await, amount("0"));
    let (totals, _) = world.snapshot("2030-02-28").await;
    assert_eq!(totals.network_total_contribution, amount("0"), "headquarters gave it back, too");
}

#[tokio::test]
async fn a_date_waits_for_adoptions_of_earlier_dates_and_says_so_until_it_is_released() {
    let world = World::new(1, "2026-02-10").await;
    world.refer(&["A"]).await;
    world.post("A", "2026-02-10", "10", 1).await;
    world.leave_work_to("A").await;

    world.call("2026-02-10").await;
    let state = world.state().await;
    assert_eq!(state.step, CloseStep::Waiting);
    assert_eq!(state.waiting_for, ["tree A has adoptions of earlier dates to post, the first is 57"]);
    world.call("2026-02-10").await;
    assert_eq!(world.state().await, state, "waiting changes nothing");

    let request = CloseRequest { until: Some(date("2026-02-10")), release: Some(Release::Everything) };
    let request = serde_json::to_value(request).expect("JSON");
    world.functions.expiry.invoke(request).await.expect("the invocation works");
    assert_eq!(world.state().await.step, CloseStep::Expiring);
    world.close("2026-02-10").await;
    assert_eq!(world.effective("A").await, amount("10"));
}

#[tokio::test]
async fn a_whole_date_is_exported_in_both_formats() {
    let world = world_with_postings(2).await;
    world.close(FIRST).await;
    let (_, rows) = world.snapshot(FIRST).await;
    let mut csv = Vec::new();
    let written = export_snapshot(&world.store, date(FIRST), ExportFormat::Csv, &mut csv).await;
    assert_eq!(written.expect("an export"), rows.len() as u64);
    assert_eq!(String::from_utf8(csv).expect("text").lines().count(), rows.len() + 1);
    let mut lines = Vec::new();
    let format = ExportFormat::JsonLines;
    export_snapshot(&world.store, date(FIRST), format, &mut lines).await.expect("an export");
    let read = String::from_utf8(lines).expect("text");
    let read = read.lines().map(|line| serde_json::from_str::<SnapshotRow>(line).expect("a row"));
    assert_eq!(read.map(|row| (row.account.clone(), row)).collect::<BTreeMap<_, _>>(), rows);
    let unclosed = export_snapshot(&world.store, date(LAST), format, Vec::new()).await;
    assert_eq!(unclosed.expect_err("an error").to_string(), format!("{LAST} is not closed"));
}

#[test]
fn the_machines_time_zone_changes_nothing() {
    // One zone is a day ahead of the other.
    let children = ["Pacific/Kiritimati", "Pacific/Pago_Pago"].map(|zone| {
        std::process::Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "what_is_taken_back_after_it_expired_changes_nothing"])
            .env("TZ", zone)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the child starts")
    });
    for child in children {
        let output = child.wait_with_output().expect("the child ends");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}

#[test]
fn headquarters_alone_never_expires() {
    let policy = Policy::default();
    let forever = |account: &str| policy.never_expires(parse::<SystemAccount>(account).kind());
    assert!(forever("HEADQUARTERS") && !forever("OPERATION") && !forever("CITY:430100"));
}

/// Closes a date of a large network, of which a tenth adopted the day before, and prints what it cost.
///
/// `ACCOUNTS=1000000 BENCHMARK_DIR=$PWD/target/day cargo test --release -p end-to-end --test business_day \
/// -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a release build"]
async fn benchmark_of_a_large_network() {
    const CONCURRENCY: usize = 2;
    let setting = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is set"));
    let count: u64 = parse(&setting("ACCOUNTS"));
    let directory = PathBuf::from(setting("BENCHMARK_DIR")).join(count.to_string());
    let world = World::stored(64, "2026-02-10", &Storage::Directory(directory.clone())).await;

    let started = std::time::Instant::now();
    let mut writes = Vec::new();
    for number in 0..count {
        let account: AccountSequence = parse(&format!("D{number:011}"));
        let mut item = Item::at(&Key::account(&account)).with_number("personal", 31663 + number);
        item = item.with_number("team_level", number).with_number("effective", 31663 + 2 * number);
        if number % 10 == 0 {
            item = item.with_number("pending#2026-02-10", "15831.9");
        }
        writes.push(ledger::store::BatchWrite::Put(item));
        if writes.len() == 2_000 {
            world.store.batch_write(std::mem::take(&mut writes)).await.expect("storage");
        }
    }
    world.store.batch_write(writes).await.expect("storage");
    let made = started.elapsed();

    let started = std::time::Instant::now();
    let mut step = (CloseStep::Waiting, started);
    world.call("2026-02-10").await;
    loop {
        let messages = world.receive().await;
        if messages.is_empty() {
            break;
        }
        let now = world.state().await.step;
        if now != step.0 {
            eprintln!("  {} took {:.1} s", step.0.name(), step.1.elapsed().as_secs_f64());
            step = (now, std::time::Instant::now());
        }
        futures::stream::StreamExt::for_each_concurrent(
            futures::stream::iter(messages),
            CONCURRENCY,
            async |(function, event)| {
                let response = function.invoke(event).await.expect("the invocation works");
                assert_eq!(response, json!({ "batchItemFailures": [] }));
            },
        )
        .await;
    }
    eprintln!("  {} took {:.1} s", step.0.name(), step.1.elapsed().as_secs_f64());
    let elapsed = started.elapsed().as_secs_f64();
    let totals =
        world.store.snapshot_totals(date("2026-02-10")).await.expect("storage").expect("it is closed");
    assert_eq!(totals.user_count, count);

    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown");
    let (expiry, snapshot) = (world.functions.expiry.meter.cost(), world.functions.snapshot.meter.cost());
    let per_account = |units: f64| units / count.to_string().parse::<f64>().expect("a number");
    eprintln!("{count} accounts, made in {:.0} s, closed in {elapsed:.1} s", made.as_secs_f64());
    eprintln!(
        "  {:.0} accounts/s with {CONCURRENCY} invocations at a time; {memory}",
        1.0 / per_account(elapsed)
    );
    for (name, cost) in [("expire and activate", expiry), ("snapshot", snapshot)] {
        eprintln!(
            "  {name}: {:.3} read units and {:.3} write units per account",
            per_account(cost.read_units),
            per_account(cost.write_units)
        );
    }
    std::fs::remove_dir_all(directory).expect("the tables are removed");
}
