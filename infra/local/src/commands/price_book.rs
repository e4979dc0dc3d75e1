//! `contribution price-book`: writes a kept ledger's price book to a file, or asks the decider to take one over.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use domain::log::CommandOutcome;
use store::inbox;

use super::kept::Kept;
use super::{readable, unless_stopped};
use crate::arguments::{PriceBook, PriceBookExport, PriceBookImport};
use crate::export::ExportFile;
use crate::language::{say, tell};
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
    let mut file = ExportFile::open(&arguments.file)?;
    unless_stopped(Some(&arguments.kept.data), async {
        let kept = Kept::open(&arguments.kept.options()?, &arguments.kept.data).await?;
        let places = ledger_audit::read_price_book(kept.stack.engine()).await?;
        let name = file.name();
        let mut written = || {
            let mut writer = file.emptied()?;
            ledger_audit::write_price_book(&places, &mut writer)?;
            writer.flush()
        };
        written().with_context(|| {
            say(format!("cannot write the price book to {name}"), format!("无法将价格位次写入 {name}"))
        })?;
        let places = places.len();
        tell(say(format!("{places} places are in {name}"), format!("{name} 共 {places} 个位次")));
        Ok(())
    })
    .await
}

async fn take_over(arguments: PriceBookImport) -> Result<()> {
    let path = &arguments.file;
    let shown = path.display();
    let file = readable(path).with_context(|| {
        say(format!("cannot read the price book {shown}"), format!("无法读取价格位次 {shown}"))
    })?;
    let places = ledger_audit::parse_price_book(file)
        .with_context(|| say(format!("{shown} is refused"), format!("{shown} 被拒绝")))?;
    let data = arguments.ledger.data.as_deref();
    let data = data.context(say(
        "a price book is taken over by a ledger that is kept: name its directory with --data",
        "价格位次须由保存的账本接管：请用 --data 写明其目录",
    ))?;
    let options = arguments.ledger.options(1)?;
    let stack = Stack::start(&options)?;
    kept_parameters::keep(&stack, &options).await?;
    unless_stopped(Some(data), async {
        let by = operators_log::operator();
        let keys = ledger_audit::take_over_places(stack.engine(), &places, &by, &arguments.reason).await?;
        stack.settle().await?;
        for key in keys {
            let command = inbox::command(stack.engine(), &key).await?;
            match command.and_then(|command| command.answer) {
                Some((CommandOutcome::Refused { reason }, _)) => bail!(kept_its_own(data, &reason)),
                Some(_) => {}
                None => bail!(say(
                    "the decider has not answered; run the same command again",
                    "尚无处理结果；请再次运行同一命令"
                )),
            }
        }
        let (places, data) = (places.len(), data.display());
        let told = say(
            format!("{places} places are taken over; feed the ledger in {data} now"),
            format!("已接管 {places} 个位次；现在可向 {data} 中的账本读入数据"),
        );
        tell(&told);
        Ok(())
    })
    .await
}

/// Returns why a ledger takes over no places.
fn kept_its_own(data: &Path, reason: &str) -> String {
    let data = data.display();
    say(
        format!(
            "the ledger in {data} keeps the places that it has: {reason}. A price book is taken over before a ledger is \
             fed; begin with an empty directory"
        ),
        format!("{data} 中的账本保留已有位次：{reason}。须在读入数据之前接管；请从空目录开始"),
    )
}
