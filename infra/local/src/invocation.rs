//! Invokes functions as AWS would: with a deadline, a clock, the tables and the queues, which all invocations share.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Result, bail};
use chrono::TimeDelta;
use local_tables::SqliteEngine;
use runtime::{Clock, Function, FunctionError, SystemClock};
use serde_json::Value;
use store::{Engine, MemoryEngine};
use tokio::sync::Notify;

use crate::queues::LocalQueues;
use crate::streamed::StreamedEngine;
use crate::template::{self, Template};

/// What everything in the stack shares.
pub struct Shared {
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    /// The tables.
    pub engine: Arc<StreamedEngine>,
    /// The queues.
    pub queues: Arc<LocalQueues>,
    /// Told of everything that may have made the stack idle.
    pub changed: Arc<Notify>,
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

impl Shared {
    /// Opens the tables, in a directory or in memory, and makes the template's queues.
    pub fn open(data: Option<&Path>, template: &Template) -> Result<Self> {
        let changed = Arc::new(Notify::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut file = None;
        let engine: Arc<dyn Engine> = match data {
            None => Arc::new(MemoryEngine::default()),
            Some(directory) => {
                let engine = Arc::new(SqliteEngine::open(directory)?);
                file = Some(Arc::clone(&engine));
                engine
            }
        };
        let streamed: Vec<_> =
            template.streamed_tables().map(template::table_named).collect::<Result<_>>()?;
        Ok(Self {
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

    /// Returns an id that no other call of this process or an earlier one was given.
    pub fn next_id(&self) -> String {
        format!("{:x}-{}", self.run, self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns whether nothing is being worked on and nothing waits for more than a delay.
    pub fn is_idle(&self) -> bool {
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
    /// Returns a function whose invocations may take so long.
    pub fn new(function: Arc<dyn Function>, timeout: TimeDelta) -> Self {
        Self { function, timeout }
    }

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
