//! Records and outbound events: what other services and people are told is what was posted.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use chrono::{TimeZone, Utc};
use contribution::capture::{Capture, CaptureRecord};
use contribution::endpoints::Storage;
use contribution::replay;
use contribution::stack::{Options, Stack};
use contribution::template::Template;
use end_to_end::{capture, golden};
use ledger::environment::{Environment, Variables};
use ledger::events::{ContributionExpired, DailySnapshotCreated, Event, Message, TalentLevelChanged};
use ledger::rules::{AccountSequence, Amount, BusinessDate, LegType, OrderId, Owner};
use ledger::store::{
    BatchWrite, EntryCause, Item, JournalEntry, JournalItem, Key, Record, RecordId, RecordQuery, Store, Table,
};
use ledger_stream::{LedgerStream, rebuild};
use serde_json::{Value, json};

/// Starts a stack in memory and feeds it a golden capture.
async fn stack_of(name: &str) -> Stack {
    let records = capture::read(golden::capture_path(name)).expect("a capture");
    let record = |record: &capture::CaptureRecord| -> CaptureRecord {
        serde_json::from_value(json!(record)).expect("the same shape")
    };
    let capture = Capture { source: name.to_owned(), records: records.iter().map(record).collect() };
    let stack = Stack::start(&Options::new(Storage::Ephemeral)).await.expect("the stack starts");
    replay::replay(&stack, &[capture]).await.expect("the replay ends");
    stack
}

/// Every item of a table.
async fn all(store: &Store, table: Table) -> Vec<Item> {
    let mut found = Vec::new();
    let mut start = None;
    loop {
        let (items, next) = store.scan(table, (0, 1), start).await.expect("a page");
        found.extend(items);
        start = next;
        if start.is_none() {
            return found;
        }
    }
}

async fn entries(store: &Store) -> Vec<JournalEntry> {
    let items = all(store, Table::Journal).await.into_iter().map(JournalItem::of_item);
    let mut entries: Vec<JournalEntry> = items
        .filter_map(|item| match item.expect("an item of the journal") {
            JournalItem::Entry(entry) => Some(entry),
            JournalItem::Posted(_) | JournalItem::Event(_) => None,
        })
        .collect();
    entries.sort_by_key(JournalEntry::id);
    entries
}

/// Every record of an account, page by page, with its amount.
async fn paged(store: &Store, owner: &Owner, mut query: RecordQuery) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        let page = store.records(owner, &query).await.expect("a page");
        assert!(page.records.len() <= query.limit);
        records.extend(page.records);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return records,
        }
    }
}

/// What the queue that other services subscribe to holds, in order.
async fn published(stack: &Stack) -> Vec<(String, Message)> {
    let url = stack.created().queue_url("OutboundEvents").expect("the queue");
    let sqs = &stack.clients().sqs;
    let mut messages = Vec::new();
    loop {
        let received = sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .expect("an answer");
        let batch = received.messages.unwrap_or_default();
        if batch.is_empty() {
            return messages;
        }
        let mut done = Vec::new();
        for (index, message) in batch.into_iter().enumerate() {
            let attributes = message.attributes.expect("attributes");
            let group = attributes[&MessageSystemAttributeName::MessageGroupId].clone();
            let body = message.body.expect("a body");
            messages.push((group, serde_json::from_str(&body).expect("a message")));
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(message.receipt_handle.expect("a handle"));
            done.push(entry.build().expect("complete"));
        }
        sqs.delete_message_batch().queue_url(url).set_entries(Some(done)).send().await.expect("deleted");
    }
}

/// The journal as an event of its stream, with sequence numbers in this order.
fn stream_event(items: &[Item]) -> Value {
    let record = |(number, item): (usize, &Item)| {
        let key = item.key().expect("a key");
        let image = serde_dynamo::Item::from(item.clone().into_attributes());
        json!({
            "eventID": number.to_string(),
            "eventName": "INSERT",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "Keys": {"pk": {"S": key.partition()}, "sk": {"S": key.sort()}},
                "NewImage": image,
                "SequenceNumber": number.to_string(),
                "SizeBytes": 1,
            },
        })
    };
    json!({ "Records": items.iter().enumerate().map(record).collect::<Vec<_>>() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paging_through_every_account_gives_each_leg_once_and_the_totals() {
    for name in golden::NAMES {
        let stack = stack_of(name).await;
        let store = stack.store();
        let mut expected: BTreeMap<Owner, Vec<(RecordId, Amount)>> = BTreeMap::new();
        let mut unallocated: BTreeMap<AccountSequence, Vec<RecordId>> = BTreeMap::new();
        for entry in entries(store).await {
            for (position, leg) in (0..).zip(&entry.legs) {
                let id = RecordId { order: entry.order, entry: entry.number, leg: position };
                expected.entry(leg.recipient.owner()).or_default().push((id, leg.amount));
                if let Some(account) = leg.recipient.would_be() {
                    unallocated.entry(account.clone()).or_default().push(id);
                }
            }
        }
        let totals = golden::expected(name);
        for (owner, legs) in &expected {
            for descending in [false, true] {
                let query = RecordQuery { descending, ..RecordQuery::first(50) };
                let records = paged(store, owner, query).await;
                let mut found: Vec<(RecordId, Amount)> =
                    records.iter().map(|record| (record.id, record.leg.amount)).collect();
                if descending {
                    found.reverse();
                }
                assert_eq!(&found, legs, "{name}: {owner}");
            }
            let sum = Amount::sum(legs.iter().map(|(_, amount)| *amount)).expect("a sum").to_string();
            let total = match owner {
                Owner::User(account) => &totals["accounts"][account.as_str()]["total"],
                Owner::System(account) => &totals["system"][account.to_string()],
            };
            assert!(
                *total == json!(sum) || (total.is_null() && sum == Amount::ZERO.to_string()),
                "{name}: {owner}"
            );
        }
        for (account, legs) in &unallocated {
            let query = RecordQuery::first(1000);
            let page = store.unallocated(account, &query).await.expect("a page");
            let found: Vec<RecordId> = page.records.iter().map(|record| record.id).collect();
            assert_eq!(&found, legs, "{name}: {account}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_and_events_rebuilt_from_the_journal_are_the_live_ones() {
    for name in ["ordering-incident", "flattened-regions"] {
        let stack = stack_of(name).await;
        let store = stack.store();
        let live = all(store, Table::Records).await;
        let untouched = rebuild::rebuild(store).await.expect("a rebuild");
        assert!(untouched.was_identical(), "{name}: {untouched}");
        assert_eq!(untouched.derived, live.len() as u64, "{name}");

        // One is lost, one is wrong, one is nobody's, and the rebuild puts it all right.
        let lost = live[0].key().expect("a key");
        let wrong = live[1].clone().with_text("cause", "REVERSAL");
        let nobodys = live[2].key().expect("a key");
        let nobodys = Item::at(&Key::new(Table::Records, nobodys.partition(), "nobody's"));
        let damage = vec![BatchWrite::Delete(lost), BatchWrite::Put(wrong), BatchWrite::Put(nobodys)];
        store.batch_write(damage).await.expect("damage");
        let repaired = rebuild::rebuild(store).await.expect("a rebuild");
        let counts = (repaired.missing, repaired.different, repaired.underived);
        assert_eq!(counts, (1, 1, 1), "{name}: {repaired}");
        let by_key = |items: Vec<Item>| -> BTreeMap<Key, Item> {
            items.into_iter().map(|item| (item.key().expect("a key"), item)).collect()
        };
        assert_eq!(by_key(all(store, Table::Records).await), by_key(live), "{name}");

        let mut live: BTreeMap<String, Vec<Message>> = BTreeMap::new();
        for (group, message) in published(&stack).await {
            live.entry(group).or_default().push(message);
        }
        let mut rebuilt: BTreeMap<String, Vec<Message>> = BTreeMap::new();
        for event in rebuild::events(store).await.expect("the events") {
            rebuilt.entry(event.group()).or_default().push(event.into_message());
        }
        assert_eq!(live, rebuilt, "{name}: the same events, in the same order for each account");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_events_fit_their_schemas_and_their_totals_add_up_one_by_one() {
    let stack = stack_of("ordering-incident").await;
    let schemas = Schemas::read();
    let mut totals: BTreeMap<AccountSequence, (u64, Amount)> = BTreeMap::new();
    let mut ids = HashSet::new();
    let mut corrections = BTreeSet::new();
    let mut levels: BTreeMap<AccountSequence, (u64, u8)> = BTreeMap::new();
    for (group, message) in published(&stack).await {
        schemas.check(&message);
        assert_eq!(group, message.event.group());
        assert!(ids.insert(message.event_id.clone()), "{} comes once", message.event_id);
        match message.event {
            Event::ContributionCalculated(event) => {
                let (posting, total) =
                    totals.get(&event.account_sequence).copied().unwrap_or((0, Amount::ZERO));
                assert!(event.posting > posting, "{group}: postings come in order");
                let changes = event.changes.iter().map(|change| change.amount);
                let sum = Amount::sum(changes.chain([total])).expect("a sum");
                assert_eq!(event.total_contribution, sum, "{group}: nothing is left out");
                totals.insert(event.account_sequence, (event.posting, sum));
            }
            Event::ContributionCorrected(event) => {
                let change = event.change;
                corrections.insert((event.account_sequence, change.order_id, change.entry));
            }
            Event::TalentLevelChanged(event) => {
                let (number, level) = levels.get(&event.account_sequence).copied().unwrap_or((0, 0));
                assert_eq!((event.change_number, event.old_level), (number + 1, level), "{group}");
                levels.insert(event.account_sequence, (event.change_number, event.new_level));
            }
            other => panic!("no date was closed: {other:?}"),
        }
    }
    let expected = golden::expected("ordering-incident");
    for (account, state) in expected["accounts"].as_object().expect("accounts") {
        let account: AccountSequence = account.parse().expect("an account");
        let total = totals.get(&account).map_or(Amount::ZERO, |(_, total)| *total);
        assert_eq!(json!(total), state["total"], "{account}");
    }
    for (account, state) in expected["talent"].as_object().expect("talent levels") {
        let account: AccountSequence = account.parse().expect("an account");
        let level = levels.get(&account).map_or(0, |(_, level)| *level);
        assert_eq!(json!(level), state["talent_level"], "{account}");
    }
    let corrected =
        entries(stack.store()).await.into_iter().filter(|entry| entry.cause != EntryCause::Distribution);
    let corrected: BTreeSet<(AccountSequence, OrderId, u32)> = corrected
        .flat_map(|entry| {
            let (order, number) = (entry.order, entry.number);
            entry.legs.into_iter().filter_map(move |leg| match leg.recipient.owner() {
                Owner::User(account) => Some((account, order, number)),
                Owner::System(_) => None,
            })
        })
        .collect();
    assert_eq!(corrections, corrected, "every correction of a user is told");
}

#[test]
fn events_of_the_other_functions_fit_their_schemas() {
    let at = Utc.timestamp_millis_opt(1_795_000_000_123).single().expect("a time");
    let amount = |text: &str| text.parse::<Amount>().expect("an amount");
    let events = [
        Event::ContributionExpired(ContributionExpired {
            account_sequence: "CITY:110100".parse().expect("an owner"),
            expire_date: "2028-02-10".parse().expect("a date"),
            expired_contribution: amount("1.5"),
            effective_contribution: amount("0"),
            expired_at: at,
        }),
        Event::DailySnapshotCreated(DailySnapshotCreated {
            snapshot_date: "2026-02-10".parse().expect("a date"),
            network_total_contribution: amount("3"),
            user_total_contribution: amount("2"),
            system_total_contribution: amount("1"),
            row_count: 4,
            created_at: at,
        }),
        Event::TalentLevelChanged(TalentLevelChanged {
            account_sequence: "D25122700018".parse().expect("an account"),
            change_number: 1,
            old_level: 0,
            new_level: 1,
            direct_count: 3,
            promotion_count: 10,
            cause: "REFERRAL".to_owned(),
            changed_at: at,
        }),
    ];
    let schemas = Schemas::read();
    for event in events {
        schemas.check(&event.into_message());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_another_function_wrote_is_published_as_it_is() {
    let stack = Stack::start(&Options::new(Storage::Ephemeral)).await.expect("the stack starts");
    let event = Event::DailySnapshotCreated(DailySnapshotCreated {
        snapshot_date: "2026-02-10".parse().expect("a date"),
        network_total_contribution: Amount::ZERO,
        user_total_contribution: Amount::ZERO,
        system_total_contribution: Amount::ZERO,
        row_count: 0,
        created_at: Utc::now(),
    });
    for _ in 0..2 {
        stack.store().publish(&event).await.expect("published");
    }
    stack.settle(|_| ()).await.expect("settled");
    let expected = vec![("NETWORK".to_owned(), event.into_message())];
    assert_eq!(published(&stack).await, expected, "once, although it was written twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivering_the_stream_again_in_pieces_changes_nothing() {
    let stack = stack_of("flattened-regions").await;
    let store = stack.store();
    let before = published(&stack).await;
    assert!(!before.is_empty());
    let journal = all(store, Table::Journal).await;
    for piece in journal.chunks(13) {
        // Also the same record twice in one batch.
        let mut twice = piece.to_vec();
        twice.push(piece[0].clone());
        let response = stack.functions.stream.invoke(stream_event(&twice)).await.expect("an answer");
        assert_eq!(response, json!({"batchItemFailures": []}));
    }
    let rebuilt = rebuild::rebuild(store).await.expect("a rebuild");
    assert!(rebuilt.was_identical(), "{rebuilt}");
    assert_eq!(published(&stack).await, [], "repetitions are dropped by their ids");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_names_the_first_record_that_is_not_dealt_with_and_the_rest_is_delivered_again() {
    let stack = Stack::start(&Options::new(Storage::Ephemeral)).await.expect("the stack starts");
    let template = Template::load(&[] as &[(&str, String)]).expect("the template");
    let with = |name: &str, value: &str| {
        let mut variables = template.variables("LedgerStream", stack.created()).expect("variables");
        variables.insert(name.to_owned(), value.to_owned());
        let variables = Variables::new(move |name| variables.get(name).cloned());
        let clients = stack.clients().clone();
        let environment = Environment::with_clients(clients.dynamodb, clients.sqs, variables);
        LedgerStream::new(environment.expect("an environment")).expect("the function")
    };
    let snapshot = |day: u16| {
        let date = "2026-02-10".parse::<BusinessDate>().expect("a date").plus_days(day);
        let event = Event::DailySnapshotCreated(DailySnapshotCreated {
            snapshot_date: date,
            network_total_contribution: Amount::ZERO,
            user_total_contribution: Amount::ZERO,
            system_total_contribution: Amount::ZERO,
            row_count: 0,
            created_at: Utc::now(),
        });
        let json = serde_json::to_string(&event).expect("JSON");
        Item::at(&Key::event(&event.group(), &event.id())).with_text("event", json)
    };
    let entry: JournalEntry = serde_json::from_value(json!({
        "order": 1, "number": 0, "cause": "DISTRIBUTION", "account": "D1", "tree_count": 1,
        "contribution_per_tree": "1.0000000000", "effective_date": "2026-01-01",
        "expire_date": "2028-01-01", "posted_at_ms": 0, "legs": ["PERSONAL D1 0.7000000000"],
    }))
    .expect("an entry");
    let items = [Item::encode(&Key::entry(entry.order, 0), &entry), snapshot(0), snapshot(1)];
    let deliver = async |function: &LedgerStream, items: &[Item]| {
        let event = serde_json::from_value(stream_event(items)).expect("an event of a stream");
        let response = function.handle(event, Utc::now()).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect::<Vec<_>>()
    };

    let without_table = with("RECORDS_TABLE", "contribution-Nowhere");
    assert_eq!(deliver(&without_table, &items).await, [Some("0".to_owned())]);
    assert_eq!(published(&stack).await, [], "nothing is told before what it is about is stored");

    let events_url = stack.created().queue_url("OutboundEvents").expect("the queue");
    let without_queue = with("OUTBOUND_EVENTS_QUEUE_URL", &events_url.replace("Outbound", "Nowhere"));
    assert_eq!(deliver(&without_queue, &items).await, [Some("1".to_owned())], "the entry is dealt with");

    let working = with("UNUSED", "");
    assert_eq!(deliver(&working, &items[1..]).await, []);
    let ids: Vec<String> = published(&stack).await.into_iter().map(|(_, message)| message.event_id).collect();
    assert_eq!(ids, ["snapshot-2026-02-10", "snapshot-2026-02-11"]);
    let records = paged(stack.store(), &"D1".parse().expect("an owner"), RecordQuery::first(10)).await;
    assert_eq!(records.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_of_this_system_is_in_quarantine_and_holds_nothing_up() {
    let stack = Stack::start(&Options::new(Storage::Ephemeral)).await.expect("the stack starts");
    let strange = Item::at(&Key::new(Table::Journal, "ORDER#7", "0000")).with_text("legs", "none");
    let unknown = Item::at(&Key::new(Table::Journal, "WHAT#7", "0000"));
    let damage = vec![BatchWrite::Put(strange), BatchWrite::Put(unknown)];
    stack.store().batch_write(damage).await.expect("written");
    stack.settle(|_| ()).await.expect("the stream goes on");
    let quarantined = stack.store().quarantined().await.expect("the quarantine");
    let items: BTreeSet<&str> = quarantined.iter().map(|refused| refused.position.topic.as_str()).collect();
    assert_eq!(items, BTreeSet::from(["ORDER#7/0000", "WHAT#7/0000"]));
    assert!(quarantined.iter().all(|refused| refused.reason == "INVALID_JOURNAL_ITEM"));
    let value: Value =
        serde_json::from_slice(quarantined[0].value.as_deref().expect("the bytes")).expect("JSON");
    assert!(value["pk"]["S"].is_string(), "the item is kept as the stream carried it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_100_000_records_the_last_page_costs_what_the_first_one_does() {
    let stack = Stack::start(&Options::new(Storage::Ephemeral)).await.expect("the stack starts");
    let store = stack.store();
    let owner: Owner = "D25122700018".parse().expect("an owner");
    let adoptions = 5_600;
    let legs: Vec<String> = (1..=15)
        .map(|level| format!("L{level} {owner} 113.0850000000"))
        .chain((1..=3).map(|tier| format!("B{tier} {owner} 565.4250000000")))
        .collect();
    let mut writes = Vec::new();
    for order in 1..=adoptions {
        // More records each than an account can have, so that there are fewer to write for as many.
        let entry: JournalEntry = serde_json::from_value(json!({
            "order": order, "number": 0, "cause": "DISTRIBUTION", "account": "D1", "tree_count": 1,
            "contribution_per_tree": "22617.0000000000", "effective_date": "2026-01-01",
            "expire_date": "2028-01-01", "posted_at_ms": 0,
            "legs": legs,
        }))
        .expect("an entry");
        writes.extend(entry.record_items().into_iter().map(BatchWrite::Put));
    }
    store.batch_write(writes).await.expect("written");

    let calls_of = async |after: Option<RecordId>| {
        let before = store.meter().cost().calls;
        let page =
            store.records(&owner, &RecordQuery { after, ..RecordQuery::first(100) }).await.expect("a page");
        (store.meter().cost().calls - before, page)
    };
    let (first_calls, first) = calls_of(None).await;
    let near_the_end =
        RecordId { order: OrderId::new(adoptions - 5).expect("an order"), entry: 0, leg: u32::MAX };
    let (last_calls, last) = calls_of(Some(near_the_end)).await;
    assert_eq!((first.records.len(), last.records.len()), (100, 5 * 18));
    assert!(first.next.is_some() && last.next.is_none());
    assert_eq!(first_calls, last_calls);
    assert_eq!(first_calls, 3, "one query of each of a user's parts, at once");

    let types = BTreeSet::from([LegType::Personal]);
    let before = store.meter().cost().calls;
    let none =
        store.records(&owner, &RecordQuery { types, ..RecordQuery::first(100) }).await.expect("a page");
    assert_eq!((none.records.len(), none.next), (0, None), "a type that is rare is not searched for");
    assert_eq!(store.meter().cost().calls - before, 1);
}

/// The published schemas, by type of event.
struct Schemas(BTreeMap<String, jsonschema::Validator>);

impl Schemas {
    fn read() -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/schemas");
        let mut schemas = BTreeMap::new();
        for file in std::fs::read_dir(directory).expect("the schemas") {
            let path = file.expect("a file").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let schema: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
            let options = jsonschema::options().should_validate_formats(true);
            schemas.insert(name, options.build(&schema).expect("a schema"));
        }
        Self(schemas)
    }

    fn check(&self, message: &Message) {
        let message = serde_json::to_value(message).expect("JSON");
        let name = message["eventType"].as_str().expect("a type");
        let errors: Vec<String> = self.0[name].iter_errors(&message).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}: {message}");
    }
}
