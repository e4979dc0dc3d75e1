//! The running stack: tables, queues, functions, and what invokes them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use chrono::TimeDelta;
use local_tables::SqliteEngine;
use runtime::{Clock, Function, FunctionError, Settings, SystemClock, Variables};
use serde_json::Value;
use store::{Engine, MemoryEngine};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::functions;
use crate::queues::LocalQueues;
use crate::streamed::StreamedEngine;
use crate::template::{FunctionSpec, Route, Template, Trigger};
use crate::token::{AUDIENCE, DevelopmentKey, ISSUER};
use crate::triggers::{self, Closing, Schedules};

/// How often a stack that works is asked whether its disk still takes writes.
const LOOK_AT_DISK: Duration = Duration::from_millis(200);
/// How long a stack may write nothing before it says what it waits for.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// How often the scheduler is called before work that never ends is taken for a fault.
const ROUNDS_MAX: usize = 1_000;

/// A ledger in memory shows its proofs to this machine only.
const SECRET_IN_MEMORY: &str = "the secret of a ledger in memory, which is gone with it";

/// How to run the stack.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The directory that keeps the tables; `None` keeps them in memory.
    pub data: Option<PathBuf>,
    /// Parameters of the template in place of their defaults.
    pub parameters: BTreeMap<String, String>,
}

/// What everything in the stack shares.
pub struct Shared {
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    /// The tables.
    pub engine: Arc<StreamedEngine>,
    /// The queues.
    pub queues: Arc<LocalQueues>,
    /// Told of everything that may have made the stack idle.
    changed: Arc<Notify>,
    running: AtomicUsize,
    run: i64,
    ids: AtomicU64,
    /// The engine under `engine`, where it is a file.
    file: Option<Arc<SqliteEngine>>,
}

/// A function that was built.
pub struct RunningFunction {
    function: Arc<dyn Function>,
    timeout: TimeDelta,
}

/// The running stack. It stops when it is dropped.
pub struct Stack {
    /// What everything in it shares.
    pub shared: Arc<Shared>,
    /// The settings of every function.
    pub settings: Settings,
    /// The template's routes, each with its function.
    pub routes: Vec<(Route, Arc<RunningFunction>)>,
    functions: BTreeMap<String, Arc<RunningFunction>>,
    kafka: Option<(Arc<RunningFunction>, usize)>,
    schedules: Arc<Schedules>,
    triggers: JoinSet<()>,
}

impl Shared {
    /// Returns an id that no other call of this process or an earlier one was given.
    pub fn next_id(&self) -> String {
        format!("{:x}-{}", self.run, self.ids.fetch_add(1, Ordering::Relaxed))
    }

    fn is_idle(&self) -> bool {
        self.running.load(Ordering::SeqCst) == 0 && self.queues.is_idle() && self.engine.is_idle()
    }

    /// Returns what an idle stack would not have, for a person who waits for it.
    #[must_use]
    pub fn waits_for(&self) -> String {
        let mut texts = self.queues.waits_for();
        texts.extend(self.engine.waits_for());
        match self.running.load(Ordering::SeqCst) {
            0 => {}
            1 => texts.push("a function that works".to_owned()),
            several => texts.push(format!("{several} functions that work")),
        }
        texts.join("; ")
    }

    /// Fails where the disk no longer takes writes.
    pub fn check_disk(&self) -> Result<()> {
        match self.file.as_ref().and_then(|file| file.failure()) {
            Some(failure) => bail!("{failure}"),
            None => Ok(()),
        }
    }
}

impl Shared {
    /// Returns what a call of a function has around it.
    #[must_use]
    pub fn context(&self, timeout: TimeDelta) -> runtime::Context {
        runtime::Context {
            clock: Arc::clone(&self.clock),
            deadline: self.clock.now() + timeout,
            engine: Arc::clone(&self.engine) as _,
            queues: Arc::clone(&self.queues) as _,
            request_id: self.next_id(),
        }
    }
}

impl RunningFunction {
    /// Invokes the function as its trigger would.
    pub async fn invoke(&self, event: Value, shared: &Shared) -> Result<Value, FunctionError> {
        let context = shared.context(self.timeout);
        shared.running.fetch_add(1, Ordering::SeqCst);
        let answer = runtime::invoke(self.function.as_ref(), event, &context).await;
        shared.running.fetch_sub(1, Ordering::SeqCst);
        shared.changed.notify_waiters();
        answer
    }
}

impl Stack {
    /// Starts everything that the template declares.
    pub fn start(options: &Options) -> Result<Self> {
        let parameters = [("TokenIssuer", ISSUER), ("TokenAudience", AUDIENCE), ("Stage", "local")];
        let mut all: BTreeMap<String, String> =
            parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        all.extend(options.parameters.clone());
        let template = Template::load(&all)?;
        let shared = Arc::new(share(options, &template)?);
        let specs = template.functions()?;
        let secret = match &options.data {
            None => SECRET_IN_MEMORY.to_owned(),
            Some(directory) => DevelopmentKey::kept_in(Some(directory))?.derived("proofs"),
        };
        let settings = settings(specs.first().context("the template has no functions")?, &secret)?;
        let mut functions = Vec::new();
        for spec in specs {
            if let Some(build) = functions::builder(&spec.crate_name) {
                let function = build(&self::settings(&spec, &secret)?)
                    .with_context(|| format!("{} cannot start", spec.crate_name))?;
                let timeout = TimeDelta::seconds(i64::from(spec.timeout_s));
                functions.push((spec, Arc::new(RunningFunction { function, timeout })));
            }
        }
        let schedules = Arc::new(Schedules::of(&template, &functions)?);
        let mut stack = Self {
            shared,
            settings,
            routes: Vec::new(),
            functions: BTreeMap::new(),
            kafka: None,
            schedules,
            triggers: JoinSet::new(),
        };
        for (spec, function) in functions {
            stack.start_triggers(&spec, &function)?;
            stack.functions.insert(spec.crate_name, function);
        }
        Ok(stack)
    }

    fn start_triggers(&mut self, spec: &FunctionSpec, function: &Arc<RunningFunction>) -> Result<()> {
        for trigger in spec.triggers.clone() {
            let (function, shared) = (Arc::clone(function), Arc::clone(&self.shared));
            match trigger {
                Trigger::Kafka { batch_size } => self.kafka = Some((function, batch_size)),
                Trigger::Queue { queue, batch_size } => {
                    self.triggers.spawn(triggers::deliver_queue(queue, batch_size, function, shared));
                }
                Trigger::Stream { table, batch_size } => {
                    let table = triggers::table_named(&table)?;
                    self.triggers.spawn(triggers::deliver_stream(table, batch_size, function, shared));
                }
                Trigger::Http(route) => self.routes.push((route, function)),
                Trigger::Schedule { .. } | Trigger::TimeOfDay => {}
            }
        }
        Ok(())
    }

    /// Returns the function that takes records of the change topics, and how many at once.
    pub fn kafka(&self) -> Result<(&RunningFunction, usize)> {
        let (function, batch_size) = self.kafka.as_ref().context("no function has a Kafka trigger")?;
        Ok((function, *batch_size))
    }

    /// Returns the function of this crate.
    pub fn function(&self, crate_name: &str) -> Result<&Arc<RunningFunction>> {
        self.functions.get(crate_name).with_context(|| format!("{crate_name} is not part of this build"))
    }

    /// Returns the tables.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.shared.engine
    }

    /// Has the scheduler call now, and each minute from now on.
    pub fn start_schedules(&mut self, closing: Closing) {
        self.triggers.spawn(Arc::clone(&self.schedules).run(Arc::clone(&self.shared), closing));
    }

    /// Has the scheduler call once, out of its turn: something was asked for that no message told of.
    pub async fn call_schedules(&self) {
        self.schedules.call(&self.shared, Closing::WhenAskedFor).await;
    }

    /// Waits until nothing is being worked on and nothing waits for more than a delay.
    pub async fn idle(&self) -> Result<()> {
        let mut progress = (Instant::now(), self.shared.engine.writes());
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            self.shared.check_disk()?;
            if self.shared.is_idle() {
                return Ok(());
            }
            // A function that tries to write to a full disk for seconds must not be waited for.
            let _ = tokio::time::timeout(LOOK_AT_DISK, changed).await;
            let writes = self.shared.engine.writes();
            if writes != progress.1 {
                progress = (Instant::now(), writes);
            } else if progress.0.elapsed() > SILENT_FOR {
                progress.0 = Instant::now();
                eprintln!("still waiting for {}", self.shared.waits_for());
            }
        }
    }

    /// Works until there is nothing left to do: delays are skipped, and the scheduler calls until a round of calls
    /// has written nothing. No close is asked for.
    pub async fn settle(&self) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            self.idle().await?;
            let before = self.shared.engine.writes();
            self.shared.queues.skip_delays();
            self.idle().await?;
            self.schedules.call(&self.shared, Closing::WhenAskedFor).await;
            self.idle().await?;
            if self.shared.engine.writes() == before && !self.shared.queues.skip_delays() {
                return Ok(());
            }
        }
        bail!("the functions still write after {ROUNDS_MAX} rounds of calls; this is a fault of the program")
    }
}

fn share(options: &Options, template: &Template) -> Result<Shared> {
    let changed = Arc::new(Notify::new());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut file = None;
    let engine: Arc<dyn Engine> = match &options.data {
        None => Arc::new(MemoryEngine::default()),
        Some(directory) => {
            let engine = Arc::new(SqliteEngine::open(directory)?);
            file = Some(Arc::clone(&engine));
            engine
        }
    };
    let streamed: Vec<_> = template.streamed_tables().map(triggers::table_named).collect::<Result<_>>()?;
    Ok(Shared {
        engine: Arc::new(StreamedEngine::new(engine, &streamed, Arc::clone(&changed))),
        queues: Arc::new(LocalQueues::new(template.queues()?, Arc::clone(&clock), Arc::clone(&changed))),
        changed,
        running: AtomicUsize::new(0),
        run: clock.now().timestamp_millis(),
        ids: AtomicU64::new(1),
        clock,
        file,
    })
}

/// Returns the settings of a function. What its variables take from the secrets manager is `secret` here.
fn settings(spec: &FunctionSpec, secret: &str) -> Result<Settings> {
    let mut variables = spec.variables.clone();
    for value in variables.values_mut().filter(|value| value.starts_with("{{resolve:secretsmanager:")) {
        secret.clone_into(value);
    }
    Ok(Settings::read(&Variables::new(move |name| variables.get(name).cloned()))?)
}
