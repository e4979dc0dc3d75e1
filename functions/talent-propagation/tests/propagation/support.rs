//! The functions without what invokes them, so that a test decides what happens when.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use contribution::endpoints::{self, Clients, Storage};
use contribution::functions::Functions;
use contribution::resources::{self, Created};
use contribution::template::Template;
use end_to_end::capture::CaptureRecord;
use ledger::environment::Environment;
use ledger::rules::AccountSequence;
use ledger::store::{Store, TalentLevelChange, TalentRecord};
use serde_json::{Value, json};

/// The functions of one stack.
pub(crate) struct Ledger {
    pub(crate) functions: Functions,
    pub(crate) store: Store,
    pub(crate) clients: Clients,
    template: Template,
    created: Created,
    environment: Environment,
}

impl Ledger {
    /// A stack with the default policy.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A stack with these parameters of the template.
    pub(crate) async fn start_with(parameters: &[(&str, String)]) -> Self {
        // Marks are swept as soon as a test asks for a sweep.
        let mut all = vec![("TalentSweepAfterMs", "0".to_owned()), ("SnapshotQuietPeriodMs", "0".to_owned())];
        all.extend(parameters.iter().cloned());
        let template = Template::load(&all).expect("a template");
        let clients = endpoints::start(&Storage::Ephemeral).await.expect("embedded services");
        let created = resources::create(&template, &clients).await.expect("tables and queues");
        let functions = Functions::new(&template, &clients, &created, None).expect("functions");
        let environment = contribution::functions::environment(&template, &clients, &created, "CdcIngest")
            .expect("an environment");
        Self { store: environment.store.clone(), functions, clients, template, created, environment }
    }

    /// The same functions on the same tables, with another client of the tables.
    pub(crate) fn functions_with(&self, dynamodb: aws_sdk_dynamodb::Client) -> Functions {
        let clients = Clients { dynamodb, ..self.clients.clone() };
        Functions::new(&self.template, &clients, &self.created, None).expect("functions")
    }

    /// Delivers records in batches, each until all of it was dealt with.
    pub(crate) async fn feed(&self, records: &[CaptureRecord], batch_size: usize) {
        feed(&self.functions, records, batch_size).await;
    }

    /// Sweeps until there is nothing left to carry up. Messages are left alone.
    pub(crate) async fn sweep(&self) {
        sweep(&self.functions, &self.store).await;
    }

    /// Delivers the messages there are, and those that come of them, until there are none.
    pub(crate) async fn deliver_messages(&self) -> usize {
        let url = self.created.queue_url("TalentRaised").expect("the template has it");
        let mut delivered = 0;
        loop {
            let received = self
                .clients
                .sqs
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(10)
                .wait_time_seconds(2)
                .send()
                .await
                .expect("a queue");
            let messages = received.messages.unwrap_or_default();
            if messages.is_empty() {
                return delivered;
            }
            delivered += messages.len();
            let records: Vec<Value> = messages
                .iter()
                .map(|message| json!({ "messageId": message.message_id, "body": message.body, "eventSource": "aws:sqs" }))
                .collect();
            let answer =
                self.functions.propagator.invoke(json!({ "Records": records })).await.expect("an answer");
            assert_eq!(answer, json!({ "batchItemFailures": [] }));
            for message in messages {
                let handle = message.receipt_handle.expect("a handle");
                self.clients
                    .sqs
                    .delete_message()
                    .queue_url(url)
                    .receipt_handle(handle)
                    .send()
                    .await
                    .expect("deleted");
            }
        }
    }

    /// How many messages wait, delayed ones included.
    pub(crate) async fn waiting_messages(&self) -> usize {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let url = self.created.queue_url("TalentRaised").expect("the template has it");
        let names = [Name::ApproximateNumberOfMessages, Name::ApproximateNumberOfMessagesDelayed];
        let request =
            self.clients.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
        let attributes = request.send().await.expect("a queue").attributes.unwrap_or_default();
        attributes.values().map(|count| count.parse::<usize>().expect("a count")).sum()
    }

    /// An account's team and level.
    pub(crate) async fn talent(&self, account: &str) -> TalentRecord {
        let account: AccountSequence = account.parse().expect("an account");
        self.store.talents([account.clone()]).await.expect("readable").remove(&account).expect("asked for")
    }

    /// Direct referrals, descendants and level of an account.
    pub(crate) async fn numbers(&self, account: &str) -> (u64, u64, u8) {
        let talent = self.talent(account).await;
        (talent.team.direct_count(), talent.team.promotion_count(), talent.level.get())
    }

    /// The changes of an account's level.
    pub(crate) async fn changes(&self, account: &str) -> Vec<TalentLevelChange> {
        self.store.talent_level_changes(&account.parse().expect("an account")).await.expect("readable")
    }

    /// The `talent` part of the export.
    pub(crate) async fn export(&self) -> Value {
        let export =
            contribution::export::export(&self.store, &self.environment.policy).await.expect("an export");
        serde_json::to_value(export.talent).expect("serializable")
    }
}

/// What is logged on this thread while this lives.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
    _subscribed: tracing::subscriber::DefaultGuard,
}

impl Log {
    /// From now on.
    pub(crate) fn kept() -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let writer = Lines(Arc::clone(&lines));
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        Self { lines, _subscribed: tracing::subscriber::set_default(subscriber) }
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.lines.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

/// Where a log is kept.
#[derive(Clone)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Delivers records to these functions in batches, each until all of it was dealt with.
pub(crate) async fn feed(functions: &Functions, records: &[CaptureRecord], batch_size: usize) {
    for batch in records.chunks(batch_size) {
        let mut attempts = 0;
        loop {
            let answer = functions.ingest.invoke(kafka_event(batch)).await;
            if answer.is_ok_and(|answer| answer == json!({ "batchItemFailures": [] })) {
                break;
            }
            attempts += 1;
            assert!(attempts < 200, "a batch is never dealt with");
        }
    }
}

/// Sweeps with these functions until there is nothing left to carry up.
pub(crate) async fn sweep(functions: &Functions, store: &Store) {
    for _ in 0..200 {
        let swept = functions.propagator.invoke(json!({})).await;
        if swept.is_ok() && store.raised_talent_marks(1).await.expect("readable").is_empty() {
            return;
        }
    }
    panic!("sweeping does not end");
}

/// Records as an event.
pub(crate) fn kafka_event(batch: &[CaptureRecord]) -> Value {
    use base64::Engine as _;
    let encode = |text: &Option<String>| {
        text.as_ref().map(|text| base64::engine::general_purpose::STANDARD.encode(text))
    };
    let mut partitions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in batch {
        let CaptureRecord { topic, partition, offset, timestamp, key, value } = record;
        partitions.entry(format!("{topic}-{partition}")).or_default().push(json!({
            "topic": topic, "partition": partition, "offset": offset, "timestamp": timestamp,
            "timestampType": "CREATE_TIME", "key": encode(key), "value": encode(value), "headers": [],
        }));
    }
    json!({ "eventSource": "aws:kafka", "bootstrapServers": "127.0.0.1:9092", "records": partitions })
}

/// The same row as a snapshot brings it.
pub(crate) trait OfSnapshot {
    fn of_snapshot(self) -> Self;
}

impl OfSnapshot for CaptureRecord {
    fn of_snapshot(mut self) -> Self {
        let mut row: Value = serde_json::from_str(self.value.as_deref().expect("a row")).expect("JSON");
        row["__op"] = json!("r");
        row["__source_snapshot"] = json!("true");
        self.value = Some(row.to_string());
        self
    }
}

/// Invents rows, streamed one after another.
#[derive(Default)]
pub(crate) struct Source {
    next: i64,
}

impl Source {
    /// A user's row.
    pub(crate) fn user(&mut self, account: &str) -> CaptureRecord {
        self.user_seen(account, None)
    }

    /// A user's row that says when they were last seen.
    pub(crate) fn user_seen(&mut self, account: &str, last_seen: Option<&str>) -> CaptureRecord {
        let row = json!({ "account_sequence": account, "status": "ACTIVE", "last_seen": last_seen });
        self.record("dbserver1.rwa_identity.users", account, row)
    }

    /// A referral's row.
    pub(crate) fn referral(&mut self, account: &str, referrer: Option<&str>) -> CaptureRecord {
        let row = json!({ "account_sequence": account, "referrer_account_sequence": referrer });
        self.record("dbserver1.rwa_referral.referral_relations", account, row)
    }

    /// Rows of a user and its referral.
    pub(crate) fn joined(&mut self, account: &str, referrer: Option<&str>) -> [CaptureRecord; 2] {
        [self.user(account), self.referral(account, referrer)]
    }

    /// A chain of accounts `C0` to `C<length>`, the top first, with users.
    pub(crate) fn chain(&mut self, length: usize) -> Vec<CaptureRecord> {
        let mut records = self.joined("C0", None).to_vec();
        for number in 1..=length {
            records.extend(self.joined(&format!("C{number}"), Some(&format!("C{}", number - 1))));
        }
        records
    }

    fn record(&mut self, topic: &str, account: &str, mut row: Value) -> CaptureRecord {
        self.next += 1;
        for (name, value) in [
            ("__op", json!("c")),
            ("__lsn", json!(self.next)),
            ("__deleted", json!("false")),
            ("__source_ts_ms", json!(1_795_167_720_000_i64 + self.next)),
            ("__source_snapshot", json!("false")),
        ] {
            row[name] = value;
        }
        CaptureRecord {
            topic: topic.to_owned(),
            partition: 0,
            offset: self.next,
            timestamp: 1_795_167_720_000 + self.next,
            key: Some(json!({ "id": account }).to_string()),
            value: Some(row.to_string()),
        }
    }
}
