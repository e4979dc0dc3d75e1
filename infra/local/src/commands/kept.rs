//! A kept ledger that stands still, for commands that look at all of it.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use domain::digest::{State, StateDigest};
use domain::{BusinessDate, Versions};

use super::unless_stopped;
use crate::arguments::KeptLedger;
use crate::export::{ExportFile, cannot_write};
use crate::language::{say, tell};
use crate::operators_log;
use crate::stack::{Options, Stack};

/// A ledger that has finished what it had begun.
pub(super) struct Kept {
    /// The stack over its tables.
    pub(super) stack: Stack,
    /// The policy that it began with.
    pub(super) first_policy: String,
}

impl Kept {
    /// Opens the ledger in a directory and has it finish what it has begun.
    pub(super) async fn open(options: &Options, directory: &Path) -> Result<Self> {
        let stack = Stack::start(options)?;
        let log = store::log::read_after(stack.engine(), 0, 1).await?;
        let shown = directory.display();
        ensure!(
            !log.is_empty(),
            say(
                format!(
                    "the ledger in {shown} has no page, so that there is nothing to look at: replay a capture into it, \
                     restore it from a backup if it had any, or name another directory"
                ),
                format!(
                    "{shown} 中的账本没有任何日志页，无可查看：请重放捕获文件；若原有数据请从备份恢复；或另写目录"
                ),
            )
        );
        operators_log::take_in(&stack, directory).await?;
        stack.settle().await?;
        let network = store::network::read(stack.engine()).await?;
        let version = network.as_ref().and_then(|network| network.versions.numbered(1));
        let first_policy = version
            .map_or_else(|| stack.settings.policy_json.clone(), |version| version.terms.policy.clone());
        Ok(Self { stack, first_policy })
    }

    /// Returns version 1 of its rules.
    pub(super) fn first_version(&self) -> Result<Versions> {
        Ok(Versions::starting(&self.first_policy)?)
    }

    /// Returns today's date in the business time zone.
    pub(super) fn today(&self) -> Result<BusinessDate> {
        let zone = self.stack.settings.policy.business_time_zone();
        BusinessDate::at(self.stack.shared.clock.now(), zone).context("the clock shows no business date")
    }

    /// Reads the state on a date.
    pub(super) async fn state(&self, date: BusinessDate) -> Result<State> {
        let shards = self.stack.settings.account_shards;
        Ok(ledger_audit::read_state(self.stack.engine(), &self.first_version()?, shards, date).await?)
    }
}

/// Writes every page of the log with the digest of the state that they lead to.
pub(super) async fn export_log(mut file: ExportFile, ledger: &KeptLedger) -> Result<()> {
    unless_stopped(Some(&ledger.data), async {
        let kept = Kept::open(&ledger.options()?, &ledger.data).await?;
        let digest = StateDigest::of(&kept.state(kept.today()?).await?);
        let name = file.name();
        let cannot = || cannot_write(&name);
        let mut writer = file.emptied().with_context(cannot)?;
        let engine = kept.stack.engine();
        let position = ledger_audit::export_log(engine, &kept.first_policy, &digest, &mut writer)
            .await
            .with_context(cannot)?;
        writer.flush().with_context(cannot)?;
        let digest = digest.hash;
        let told = say(
            format!("{position} pages and the state digest {digest} are in {name}"),
            format!("已写入 {name}：{position} 页，状态摘要 {digest}"),
        );
        tell(&told);
        Ok(())
    })
    .await
}
