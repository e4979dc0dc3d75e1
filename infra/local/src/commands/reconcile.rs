//! `contribution reconcile`: reads a PostgreSQL server or a capture, and compares it with a kept ledger. With
//! `--repair` the ledger takes in what the source has.

mod chinese;

use ::reconcile::{Ledger, Report, reconcile_with_capture};
use anyhow::{Result, bail};

use super::{show, unless_stopped};
use crate::arguments::Reconcile;
use crate::language::Language;
use crate::replay;
use crate::stack::Stack;

/// Compares the source with the ledger, shows what differs, and takes in what the source has if that was asked for.
pub(super) async fn reconcile(arguments: Reconcile) -> Result<()> {
    let stack = Stack::start(&arguments.kept.options()?)?;
    unless_stopped(Some(&arguments.kept.data), async {
        stack.settle().await?;
        let report = if arguments.capture.is_empty() {
            with_server(&arguments, &stack).await?
        } else {
            let captures = replay::filled_captures(&arguments.capture)?;
            let records: Vec<_> = captures.into_iter().flat_map(|capture| capture.records).collect();
            reconcile_with_capture(&records, ledger(&stack)).await?
        };
        if arguments.json {
            show(&serde_json::to_string_pretty(&report.to_json())?)?;
        } else {
            match Language::of_environment() {
                Language::English => show(&report)?,
                Language::Chinese => show(&chinese::report(&report))?,
            }
        }
        outcome(&report, arguments.repair)
    })
    .await
}

fn ledger(stack: &Stack) -> Ledger<'_> {
    Ledger { engine: stack.engine(), profile: &stack.settings.profile, clock: &*stack.shared.clock }
}

/// Returns the error that makes the command's exit status say that something differs.
fn outcome(report: &Report, is_repaired: bool) -> Result<()> {
    let named = report.differences.len();
    let language = Language::of_environment();
    match (named, is_repaired) {
        (0, _) if report.is_clean() => Ok(()),
        (0, _) => bail!(language.say(
            "not everything could be compared; the lines above say what to do",
            "并非全部都能核对；处理办法见以上各行"
        )),
        (_, true) => Ok(()),
        (_, false) => bail!(language.say(
            format!("{named} rows differ; --repair --reason WHY takes in what the source has"),
            format!("{named} 行有差异；--repair --reason 原因 会读入来源的内容")
        )),
    }
}

#[cfg(not(feature = "network"))]
#[expect(clippy::unused_async, reason = "as in a build with the network")]
async fn with_server(_: &Reconcile, _: &Stack) -> Result<Report> {
    Err(super::without_network("--postgres"))
}

#[cfg(feature = "network")]
use self::network::with_server;

#[cfg(feature = "network")]
mod network {
    use std::sync::Mutex;
    use std::time::Duration;

    use ::reconcile::record::SourceRecord;
    use ::reconcile::{Difference, Options, Report, Source, Watch};
    use anyhow::{Context as _, Result, bail};
    use chrono::TimeDelta;
    use domain::log::{Command, CommandOutcome};
    use local_postgres::{ConnectOptions, Connection, PostgresSource};
    use store::inbox::{self, StoredCommand};

    use super::ledger;
    use crate::arguments::Reconcile;
    use crate::language::{say, tell, translated};
    use crate::progress_line::ProgressLine;
    use crate::stack::Stack;

    /// Rows taken in at once; each such step has an entry in the operators' log.
    const ROWS_AT_ONCE: usize = 100;
    /// How long a step may take.
    const STEP: TimeDelta = TimeDelta::seconds(60);

    pub(super) async fn with_server(arguments: &Reconcile, stack: &Stack) -> Result<Report> {
        let options = options(arguments);
        let mut sources = Vec::new();
        for url in &arguments.postgres {
            let connect = ConnectOptions { rests: !arguments.full_speed, ..ConnectOptions::default() };
            sources.push(PostgresSource::new(Connection::open(url, connect).await?, arguments.page_rows));
        }
        let sources: Vec<&dyn Source> = sources.iter().map(|source| source as &dyn Source).collect();
        let report = ::reconcile::reconcile(&sources, ledger(stack), &options).await?;
        if arguments.repair && !report.differences.is_empty() {
            let reason = arguments.reason.as_deref();
            let reason = reason.context(say("a repair needs --reason", "修复须写明 --reason"))?;
            repair(stack, &report, reason).await?;
        }
        Ok(report)
    }

    fn options(arguments: &Reconcile) -> Options {
        let mut options = Options {
            topics: arguments.topic.iter().cloned().collect(),
            pause: Duration::from_secs(arguments.pause.into()),
            patience: Duration::from_secs(arguments.patience.into()),
            watch: watch(),
            ..Options::default()
        };
        for (topic, table) in &arguments.table {
            let name = match table.split_once('.') {
                Some((schema, table)) => (Some(schema.to_owned()), table.to_owned()),
                None => (None, table.clone()),
            };
            options.tables.insert(topic.clone(), name);
        }
        options
    }

    /// Returns a line that shows how far the comparison is.
    fn watch() -> Watch {
        let line = Mutex::new(ProgressLine::new("reconcile", say("rows compared", "行已核对"), 0));
        Watch::new(move |done, of| {
            if let Ok(mut line) = line.lock() {
                line.set(done, of);
            }
        })
    }

    /// Takes in what the source has, for every row that differs, and waits until the ledger follows from it.
    async fn repair(stack: &Stack, report: &Report, reason: &str) -> Result<()> {
        let profile = &stack.settings.profile;
        for differences in report.differences.chunks(ROWS_AT_ONCE) {
            let sent_ms = stack.shared.clock.now().timestamp_millis();
            let changes = differences
                .iter()
                .map(|difference| {
                    SourceRecord::repairing(difference, profile, sent_ms).with_context(|| {
                        let (topic, key) = (&difference.topic, &difference.key);
                        say(format!("{topic}/{key} cannot be taken in"), format!("{topic}/{key} 无法读入"))
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            let context = stack.shared.context(STEP);
            // The entry comes first: what is taken in never lacks one, and a step that was interrupted shows.
            note(stack, differences, reason, &context.request_id).await?;
            cdc_ingest::take_in(&context, &stack.settings.profile, stack.settings.account_shards, changes)
                .await
                .map_err(anyhow::Error::msg)?;
            stack.settle().await?;
        }
        let rows = report.differences.len();
        tell(say(
            format!("{rows} rows were taken in; they stand in the operators' log"),
            format!("已读入 {rows} 行，并写入操作日志"),
        ));
        Ok(())
    }

    /// Records in the operators' log what is taken in.
    async fn note(stack: &Stack, differences: &[Difference], reason: &str, id: &str) -> Result<()> {
        let named: Vec<String> = differences.iter().map(ToString::to_string).collect();
        let text = format!("reconcile takes in {} rows from the source:\n{}", named.len(), named.join("\n"));
        let command = StoredCommand::new(crate::operators_log::operator(), reason, Command::Note { text })
            .changing("the ledger has other rows than the source, as named", "the ledger has the source's");
        let key = format!("reconcile-{id}");
        inbox::ask(stack.engine(), &key, &command).await?;
        stack.settle().await?;
        match inbox::command(stack.engine(), &key).await?.and_then(|stored| stored.answer) {
            Some((CommandOutcome::Refused { reason }, _)) => {
                bail!(say(
                    format!("the entry was refused: {reason}"),
                    format!("该条记录被拒绝：{}", translated(&reason))
                ))
            }
            Some(_) => Ok(()),
            None => bail!(say(
                "the entry is not in the operators' log yet; nothing was taken in",
                "操作日志中尚无该条记录；没有读入任何内容"
            )),
        }
    }
}
