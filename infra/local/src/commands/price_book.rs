//! `contribution price-book`: writes a kept ledger's price book to a file, or asks the decider to take one over.

use std::fs::File;
use std::io::{BufReader, Write as _};

use anyhow::{Context as _, Result, bail};
use domain::log::CommandOutcome;
use store::inbox;

use super::kept::Kept;
use super::unless_stopped;
use crate::arguments::{PriceBook, PriceBookExport, PriceBookImport};
use crate::export::ExportFile;
use crate::stack::Stack;
use crate::{kept_parameters, operators_log};

/// Writes a price book, or takes one over.
pub(super) async fn price_book(arguments: PriceBook) -> Result<()> {
    match arguments {
        PriceBook::Export(export) => write(export).await,
        PriceBook::Import(import) => take_over(import).await,
    }
}

async fn write(arguments: PriceBookExport) -> Result<()> {
    let file = ExportFile::open(&arguments.file)?;
    unless_stopped(Some(&arguments.kept.data), async {
        let kept = Kept::open(&arguments.kept.options()?, &arguments.kept.data).await?;
        let places = ledger_audit::read_price_book(kept.stack.engine()).await?;
        let written = || {
            let mut writer = file.emptied()?;
            ledger_audit::write_price_book(&places, &mut writer)?;
            writer.flush()
        };
        written().with_context(|| format!("cannot write the price book to {}", file.path().display()))?;
        eprintln!("{} places are in {}", places.len(), file.path().display());
        Ok(())
    })
    .await
}

async fn take_over(arguments: PriceBookImport) -> Result<()> {
    let path = &arguments.file;
    let file = File::open(path).with_context(|| format!("cannot read the price book {}", path.display()))?;
    let places = ledger_audit::parse_price_book(BufReader::new(file))
        .with_context(|| format!("{} is refused", path.display()))?;
    let data = arguments.ledger.data.as_deref();
    let data =
        data.context("a price book is taken over by a ledger that is kept: name its directory with --data")?;
    let options = arguments.ledger.options(1)?;
    let stack = Stack::start(&options)?;
    kept_parameters::keep(&options)?;
    unless_stopped(Some(data), async {
        let by = operators_log::operator();
        let keys = ledger_audit::take_over_places(stack.engine(), &places, &by, &arguments.reason).await?;
        stack.settle().await?;
        for key in keys {
            let command = inbox::command(stack.engine(), &key).await?;
            match command.and_then(|command| command.answer) {
                Some((CommandOutcome::Refused { reason }, _)) => bail!(
                    "the ledger in {} keeps the places that it has: {reason}. A price book is taken over before a \
                     ledger is fed; begin with an empty directory",
                    data.display()
                ),
                Some(_) => {}
                None => bail!("the decider has not answered; run the same command again"),
            }
        }
        eprintln!("{} places are taken over; feed the ledger in {} now", places.len(), data.display());
        Ok(())
    })
    .await
}
