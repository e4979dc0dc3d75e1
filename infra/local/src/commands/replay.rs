//! `contribution replay`: feeds captures to a stack of this process, and prints what became of them.

use std::fmt::Display;

use anyhow::Result;
use serde_json::{Map, Value};

use super::{show, unless_stopped};
use crate::arguments::Replay;
use crate::export::ExportFile;
use crate::incident::Incident;
use crate::language::tell;
use crate::operators_log::{Deed, ON_THE_COMMAND_LINE};
use crate::stack::Stack;
use crate::summary::{Summary, posted};
use crate::{close, kept_parameters, operators_log, replay};

/// How many characters the operators' log takes as a reason.
const REASON_LENGTH_MAX: usize = 500;

/// Replays captures, shows a summary, and writes what was asked for.
pub(super) async fn replay(arguments: Replay) -> Result<()> {
    // What cannot be read or written is said before any work.
    let export = arguments.export.as_deref().map(ExportFile::open).transpose()?;
    let captures = replay::filled_captures(&arguments.captures)?;
    let partitions = replay::orders_partitions(&captures, &arguments.ledger.profile()?);
    let options = arguments.ledger.options(partitions.unsigned_abs())?;
    let stack = Stack::start(&options)?;
    kept_parameters::keep(&stack, &options).await?;
    if let Some(date) = arguments.as_of {
        close::check(&stack, date).await?;
    }
    unless_stopped(arguments.ledger.data.as_deref(), async {
        let mut left = None;
        if let Some(directory) = &arguments.ledger.data {
            operators_log::take_in(&stack, directory).await?;
            let deed = Deed::of_reading(&stack, replay::in_words(&captures)).await?;
            // With a date, the close is the entry of this command, if it comes to that.
            if arguments.as_of.is_none() {
                operators_log::note(&stack, ON_THE_COMMAND_LINE, deed).await?;
            } else {
                left = Some(operators_log::leave(directory, ON_THE_COMMAND_LINE, deed)?);
            }
        }
        let before = posted(&stack).await?;
        let elapsed = replay::replay(&stack, &captures).await?;
        let summary = Summary::read(&stack, before, elapsed).await?;
        let mut told = Told::new(arguments.json, export.as_ref().is_some_and(ExportFile::is_standard_output));
        told.tell("summary", &summary, summary.to_json())?;
        if let Some(date) = arguments.as_of {
            let reason = format!("replay --as-of: {}", replay::in_words(&captures));
            let reason: String = reason.chars().take(REASON_LENGTH_MAX).collect();
            let closed = close::close_until(&stack, date, &reason, left).await?;
            told.tell("business_dates", &closed, closed.to_json())?;
        }
        // Of a ledger that was gone on with, the captures do not say in which order all of it arrived.
        let incident = if before == 0 { Incident::read(&stack, &captures).await? } else { None };
        if let Some(incident) = incident {
            told.tell("incident", &incident, incident.to_json())?;
        }
        told.end()?;
        match export {
            Some(file) => file.write(&stack).await,
            None => Ok(()),
        }
    })
    .await
}

/// What is said of a replay: as text while it goes on, or as one JSON document at its end.
struct Told {
    document: Option<Map<String, Value>>,
    /// Whether standard output has the export, so that all else is said on standard error.
    is_aside: bool,
}

impl Told {
    fn new(as_json: bool, is_aside: bool) -> Self {
        Self { document: as_json.then(Map::new), is_aside }
    }

    fn tell(&mut self, name: &str, text: &impl Display, value: Value) -> Result<()> {
        if let Some(document) = &mut self.document {
            document.insert(name.to_owned(), value);
            return Ok(());
        }
        self.print(text)
    }

    fn end(self) -> Result<()> {
        match &self.document {
            Some(document) => self.print(&serde_json::to_string_pretty(document)?),
            None => Ok(()),
        }
    }

    fn print(&self, text: &impl Display) -> Result<()> {
        if self.is_aside {
            tell(text.to_string().trim_end());
            return Ok(());
        }
        show(text)
    }
}
