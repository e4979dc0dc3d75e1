//! Feeding captures to the stack, with progress for whoever watches.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use ledger::store::Store;

use crate::capture::Capture;
use crate::export;
use crate::stack::Stack;
use crate::summary::{Summary, backlog_line, distributed};

/// The capture that is built in: the ordering incident, snapshot and stream.
const BUNDLED: &[u8] = include_bytes!("../../../events/captures/ordering-incident.jsonl");

/// The captures in these files, or the built-in one.
pub fn captures(files: &[PathBuf]) -> Result<Vec<Capture>> {
    if files.is_empty() {
        return Ok(vec![Capture::parse("ordering-incident", BUNDLED)?]);
    }
    files.iter().map(|file| Capture::read(file)).collect()
}

/// Feeds captures one after another, each to its end, and reads what became of them.
pub async fn replay(stack: &Stack, captures: &[Capture]) -> Result<Summary> {
    let started = Instant::now();
    let (before, _) = distributed(stack.store(), &stack.environment().policy).await?;
    for capture in captures {
        let progress = Progress::new(&capture.source, capture.records.len());
        stack.feed(capture, |records| progress.add(records)).await?;
        progress.finish("read");
        settle(stack, &capture.source).await?;
    }
    Summary::read(stack, before, started.elapsed()).await
}

/// Reads the change topics of a broker up to where they end now, and what became of them.
pub async fn replay_kafka(stack: &Stack, bootstrap: &str) -> Result<Summary> {
    let started = Instant::now();
    let (before, _) = distributed(stack.store(), &stack.environment().policy).await?;
    let progress = Progress::spinner(bootstrap);
    stack.read_kafka(bootstrap, |records| progress.add(records)).await?;
    progress.finish("read");
    settle(stack, bootstrap).await?;
    Summary::read(stack, before, started.elapsed()).await
}

async fn settle(stack: &Stack, name: &str) -> Result<()> {
    let working = Progress::spinner(name);
    stack.settle(|backlog| working.say(&backlog_line(backlog))).await?;
    working.finish("nothing left to do");
    Ok(())
}

/// Writes the ledger's state to a file.
pub async fn write_export(stack: &Stack, path: &Path) -> Result<()> {
    let export = export::export(stack.store(), &stack.environment().policy).await?;
    let file =
        File::create(path).with_context(|| format!("cannot write the export to {}", path.display()))?;
    let mut writer = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut writer, &export)?;
    writer.flush().with_context(|| format!("cannot write the export to {}", path.display()))
}

/// Writes every event there ever was to a file, as the journal tells them. How many there are.
pub async fn write_events(store: &Store, path: &Path) -> Result<usize> {
    let events = ledger_stream::rebuild::events(store).await?;
    let count = events.len();
    let file =
        File::create(path).with_context(|| format!("cannot write the events to {}", path.display()))?;
    let mut writer = BufWriter::new(file);
    for event in events {
        serde_json::to_writer(&mut writer, &event.into_message())?;
        writer.write_all(b"\n")?;
    }
    writer.flush().with_context(|| format!("cannot write the events to {}", path.display()))?;
    Ok(count)
}

/// A bar on a terminal, plain lines elsewhere.
struct Progress {
    bar: ProgressBar,
    name: String,
    is_terminal: bool,
}

impl Progress {
    fn new(name: &str, length: usize) -> Self {
        let bar = ProgressBar::new(length as u64);
        Self::with(bar, name, "{msg:<32} {bar:32} {pos}/{len} records {elapsed}")
    }

    fn spinner(name: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        Self::with(bar, name, "{spinner} {msg}")
    }

    fn with(bar: ProgressBar, name: &str, template: &str) -> Self {
        bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
        bar.set_message(name.to_owned());
        Self { bar, name: name.to_owned(), is_terminal: std::io::stderr().is_terminal() }
    }

    fn add(&self, records: usize) {
        self.bar.inc(records as u64);
    }

    fn say(&self, what: &str) {
        self.bar.set_message(format!("{}: {what}", self.name));
    }

    fn finish(&self, what: &str) {
        self.bar.finish_and_clear();
        if self.is_terminal {
            return;
        }
        match self.bar.length() {
            Some(length) => eprintln!("{}: {what} {length} records", self.name),
            None => eprintln!("{}: {what}", self.name),
        }
    }
}
