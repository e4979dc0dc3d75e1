//! The running stack: services, functions, and what invokes them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ledger::environment::Environment;
use ledger::store::Store;
use tokio::task::JoinSet;

use crate::calls::Calls;
use crate::capture::Capture;
use crate::endpoints::{self, Clients, Storage};
use crate::functions::{Function, Functions, environment};
use crate::http_api::{HttpApi, HttpRoute};
use crate::kafka::Kafka;
use crate::resources::{self, Created};
use crate::streams::{Positions, StreamReader};
use crate::template::{Template, Trigger};
use crate::token::{self, Authorizer, DevelopmentKey};
use crate::triggers;

/// How much of a list is read to tell how much is left: it is read again ten times a second.
const BACKLOG_COUNTED_MAX: usize = 100;

/// How to run the stack.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the tables are kept.
    pub storage: Storage,
    /// How many invocations of each queue's function run at a time.
    pub concurrency: usize,
    /// Parameters of the template that differ from their defaults.
    pub parameters: Vec<(String, String)>,
    /// Where the functions' calls are noted, if anybody wants to know.
    pub calls: Option<Calls>,
}

impl Options {
    /// The stack as its command line starts it.
    #[must_use]
    pub fn new(storage: Storage) -> Self {
        // Nobody waits longer than needed on their own machine.
        let parameters = vec![
            ("SnapshotQuietPeriodMs", "5000".to_owned()),
            ("ReorderWindowMs", "200".to_owned()),
            ("WakeAgainAfterMs", "5000".to_owned()),
            ("TokenIssuer", token::ISSUER.to_owned()),
            ("TokenAudience", token::AUDIENCE.to_owned()),
            ("CloseSegments", "2".to_owned()),
            ("TalentSweepAfterMs", "500".to_owned()),
        ];
        let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { storage, concurrency: 2, parameters, calls: None }
    }
}

/// The running stack. Dropping it stops everything it started but the embedded services.
#[derive(Debug)]
pub struct Stack {
    /// The functions.
    pub functions: Functions,
    environment: Environment,
    clients: Clients,
    created: Created,
    kafka_topics: BTreeSet<String>,
    kafka_batch_size: usize,
    polled_queues: Vec<String>,
    streams: Vec<StreamReader>,
    http_routes: Vec<HttpRoute>,
    token_check: (String, String),
    pollers: JoinSet<()>,
}

impl Stack {
    /// Starts everything.
    pub async fn start(options: &Options) -> Result<Self> {
        let template = Template::load(&options.parameters)?;
        let clients = endpoints::start(&options.storage).await?;
        let created = resources::create(&template, &clients).await?;
        let functions = Functions::new(&template, &clients, &created, options.calls.as_ref())?;
        let environment = environment(&template, &clients, &created, "CdcIngest")?;
        let token_check = template.token_check(&created)?;
        let mut stack = Self {
            functions,
            environment,
            clients,
            created,
            kafka_topics: BTreeSet::new(),
            kafka_batch_size: 0,
            polled_queues: Vec::new(),
            streams: Vec::new(),
            http_routes: Vec::new(),
            token_check,
            pollers: JoinSet::new(),
        };
        for function in stack.functions.clone().all() {
            for trigger in template.triggers(function.logical_name)? {
                stack.connect(function, trigger, options)?;
            }
        }
        Ok(stack)
    }

    /// Starts what a trigger stands for.
    fn connect(&mut self, function: &Function, trigger: Trigger, options: &Options) -> Result<()> {
        match trigger {
            Trigger::Kafka { topics, batch_size } => {
                self.kafka_topics.extend(topics);
                self.kafka_batch_size = batch_size;
            }
            Trigger::Http { method, path, authorized } => {
                self.http_routes.push(HttpRoute { method, path, authorized, function: function.clone() });
            }
            Trigger::Queue { queue, batch_size } => {
                self.polled_queues.push(self.created.queue_url(&queue)?.to_owned());
                for _ in 0..options.concurrency {
                    self.pollers.spawn(triggers::poll_queue(
                        self.clients.sqs.clone(),
                        self.created.queue_url(&queue)?.to_owned(),
                        self.created.queue_arn(&queue)?.to_owned(),
                        batch_size,
                        function.clone(),
                    ));
                }
            }
            Trigger::Stream { table, batch_size } => {
                let positions = match &options.storage {
                    Storage::Ephemeral => Positions::forgotten(),
                    Storage::Directory(directory) => {
                        Positions::kept_in(directory.join(format!("stream-{table}.json")))?
                    }
                };
                let stream_arn = self.created.stream_arn(&table)?.to_owned();
                let reader = StreamReader::new(self.clients.streams.clone(), stream_arn, positions);
                self.pollers.spawn(reader.clone().poll(batch_size, function.clone()));
                self.streams.push(reader);
            }
            // Business dates close when somebody asks for it: whoever replays a capture decides as of when.
            Trigger::Clock => {}
            Trigger::Schedule => {
                let function = function.clone();
                self.pollers.spawn(async move {
                    // A minute on AWS; here a person is waiting.
                    let mut schedule = tokio::time::interval(Duration::from_secs(2));
                    loop {
                        schedule.tick().await;
                        if let Err(error) = function.invoke(serde_json::json!({})).await {
                            tracing::warn!(
                                function = function.logical_name,
                                "an invocation failed: {error:#}"
                            );
                        }
                    }
                });
            }
        }
        Ok(())
    }

    /// The HTTP API, which accepts tokens signed with this key.
    #[must_use]
    pub fn http_api(&self, key: &DevelopmentKey) -> HttpApi {
        let (issuer, audience) = &self.token_check;
        HttpApi { routes: self.http_routes.clone(), authorizer: Authorizer::new(key, issuer, audience) }
    }

    /// The tables, for tools.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.environment.store
    }

    /// The services, for tools.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// What was created, for tools.
    #[must_use]
    pub fn created(&self) -> &Created {
        &self.created
    }

    /// The rules' numbers, profile and settings.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Whether nothing was ever fed.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.store().progress().await?.is_empty())
    }

    /// Delivers a capture, from where an earlier delivery of it ended. `progress` is told how many
    /// records were dealt with.
    pub async fn feed(&self, capture: &Capture, progress: impl FnMut(usize)) -> Result<()> {
        let committed: BTreeMap<(String, i64), i64> = self
            .store()
            .progress()
            .await?
            .into_iter()
            .filter(|progress| progress.source == capture.source)
            .map(|progress| ((progress.topic, i64::from(progress.partition)), progress.offset))
            .collect();
        triggers::feed_capture(capture, &committed, self.kafka_batch_size, &self.functions.ingest, progress)
            .await
    }

    /// Reads the change topics of a broker, each partition from where it was read before, up to
    /// where it ends now. `progress` is told how many records were dealt with.
    pub async fn read_kafka(&self, bootstrap: &str, progress: impl Fn(usize) + Sync) -> Result<()> {
        self.kafka(bootstrap).await?.read_to_the_end(progress).await
    }

    /// Goes on reading the change topics of a broker until the stack is dropped.
    pub async fn follow_kafka(&mut self, bootstrap: &str) -> Result<()> {
        let kafka = self.kafka(bootstrap).await?;
        self.pollers.spawn(kafka.follow());
        Ok(())
    }

    async fn kafka(&self, bootstrap: &str) -> Result<Kafka> {
        let ingest = self.functions.ingest.clone();
        let topics = self.kafka_topics.clone();
        Kafka::connect(bootstrap, topics, self.kafka_batch_size, self.store().clone(), ingest).await
    }

    /// What is left to do.
    pub async fn backlog(&self) -> Result<Backlog> {
        let mut messages = 0;
        for url in &self.polled_queues {
            messages += self.messages_in(url).await?;
        }
        let mut stream_records = 0;
        for stream in &self.streams {
            stream_records += stream.behind(BACKLOG_COUNTED_MAX).await?;
        }
        let staged = self.store().staged(BACKLOG_COUNTED_MAX).await?.len();
        let trees = self.store().outstanding_trees().await?;
        let stopped = trees.iter().filter(|tree| tree.stopped.is_some()).count();
        let trees = trees.len() - stopped;
        let talents = self.store().raised_talent_marks(BACKLOG_COUNTED_MAX).await?.len();
        Ok(Backlog { messages, staged, trees, stopped_trees: stopped, stream_records, talents })
    }

    async fn messages_in(&self, queue_url: &str) -> Result<usize> {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesDelayed,
            Name::ApproximateNumberOfMessagesNotVisible,
        ];
        let output = self
            .clients
            .sqs
            .get_queue_attributes()
            .queue_url(queue_url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await?;
        let counts = output.attributes.unwrap_or_default();
        counts.values().map(|count| count.parse::<usize>().context("a message count is a number")).sum()
    }

    /// Waits until nothing is left to do, telling `progress` what is. Trees that are stopped for a
    /// lasting reason are left.
    pub async fn settle(&self, mut progress: impl FnMut(&Backlog)) -> Result<()> {
        loop {
            let backlog = self.backlog().await?;
            progress(&backlog);
            if backlog.is_done() {
                return Ok(());
            }
            if self.pollers.is_empty() {
                bail!("nothing is polling, so that nothing more will happen");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Messages in queues.
    pub messages: usize,
    /// Adoptions to release, counted up to about a hundred.
    pub staged: usize,
    /// Trees with work to do.
    pub trees: usize,
    /// Trees that stopped for a lasting reason.
    pub stopped_trees: usize,
    /// Records of tables' streams, counted up to a hundred of each.
    pub stream_records: usize,
    /// Accounts that changes of talent levels are to be carried up from, counted up to about a hundred.
    pub talents: usize,
}

impl Backlog {
    /// Whether nothing more will happen by itself.
    #[must_use]
    pub fn is_done(&self) -> bool {
        // The messages of stopped trees keep coming until they are dead letters.
        self.staged == 0
            && self.trees == 0
            && self.stream_records == 0
            && self.talents == 0
            && (self.messages == 0 || self.stopped_trees > 0)
    }
}
