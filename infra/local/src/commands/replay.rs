//! `contribution replay`: feeds captures to a stack of this process, and prints what became of them.

use anyhow::Result;

use super::{show, unless_stopped};
use crate::arguments::Replay;
use crate::export::ExportFile;
use crate::incident::Incident;
use crate::operators_log::Deed;
use crate::stack::Stack;
use crate::summary::{Summary, posted};
use crate::{close, kept_parameters, operators_log, replay};

/// Replays captures, shows a summary, and writes what was asked for.
pub(super) async fn replay(arguments: Replay) -> Result<()> {
    // What cannot be read or written is said before any work.
    let export = arguments.export.as_deref().map(ExportFile::open).transpose()?;
    let captures = replay::captures(&arguments.captures)?;
    let partitions = replay::orders_partitions(&captures, &arguments.ledger.profile()?);
    let options = arguments.ledger.options(partitions.unsigned_abs())?;
    let stack = Stack::start(&options)?;
    kept_parameters::keep(&options)?;
    if let Some(date) = arguments.as_of {
        close::check(&stack, date).await?;
    }
    unless_stopped(arguments.ledger.data.as_deref(), async {
        if let Some(directory) = &arguments.ledger.data {
            operators_log::take_in(&stack, directory).await?;
            // With a date, the close is the entry of this command.
            if arguments.as_of.is_none() {
                let deed = Deed::of_reading(&stack, replay::in_words(&captures)).await?;
                operators_log::note(&stack, "asked for on the command line", deed).await?;
            }
        }
        let before = posted(&stack).await?;
        let elapsed = replay::replay(&stack, &captures).await?;
        show(&Summary::read(&stack, before, elapsed).await?)?;
        if let Some(date) = arguments.as_of {
            show(&close::close_until(&stack, date, "replay --as-of").await?)?;
        }
        if let Some(incident) = Incident::read(&stack, &captures).await? {
            show(&incident)?;
        }
        match export {
            Some(file) => file.write(&stack).await,
            None => Ok(()),
        }
    })
    .await
}
