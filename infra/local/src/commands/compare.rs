//! `contribution compare`: reads a PostgreSQL server and a kept ledger, and writes CSV files and a page.

use anyhow::Result;

use crate::arguments::Compare;

/// Compares the ledger with the service that ran before, and writes what differs.
#[cfg(not(feature = "network"))]
#[expect(clippy::unused_async, reason = "as in a build with the network")]
pub(super) async fn compare(_: Compare) -> Result<()> {
    Err(super::without_network("compare"))
}

#[cfg(feature = "network")]
pub(super) async fn compare(arguments: Compare) -> Result<()> {
    network::compare(arguments).await
}

#[cfg(feature = "network")]
mod network {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    use ::compare::{Comparison, MiningDate, OurAccount, OurAdoption, OurDate, Ours, csv, page};
    use anyhow::{Context as _, Result, bail};
    use cdc::{BusinessKey, RowImage, RowState};
    use domain::heads::AdoptionState;
    use domain::snapshot::Manifest;
    use domain::{Amount, OrderId, Versions};
    use local_postgres::{ConnectOptions, Connection, read_earlier_service};
    use store::rows::{self, RowTable};
    use store::{Engine, Table, heads, snapshots};

    use crate::arguments::Compare;
    use crate::commands::{show, unless_stopped};
    use crate::language::{Language, say};
    use crate::stack::Stack;

    /// How many dates are asked for at once.
    const MANIFESTS_AT_ONCE: usize = 500;

    pub(super) async fn compare(arguments: Compare) -> Result<()> {
        let named = arguments.orders.as_deref().map(named_orders).transpose()?.unwrap_or_default();
        let stack = Stack::start(&arguments.kept.options()?)?;
        unless_stopped(Some(&arguments.kept.data), async {
            stack.settle().await?;
            let rows = adoption_rows(stack.engine()).await?;
            let order_of =
                |adoption: &str| named.get(adoption).or_else(|| rows.by_key.get(adoption)).copied();
            let connection = Connection::open(&arguments.postgres, ConnectOptions::default()).await?;
            let earlier = read_earlier_service(&connection, &arguments.schema, &order_of).await?;
            let mut ours = ours(&stack).await?;
            for order in rows.known {
                // An order whose row was gone before it was decided has no head.
                ours.adoptions.entry(order).or_insert(OurAdoption::Absent);
            }
            let comparison = ::compare::compare(&earlier, &ours)?;
            let dates = ::compare::compare_mining(&earlier, &ours)?;
            write(&arguments.out, &comparison, &dates)?;
            show(&summary(&comparison, &dates, &arguments.out)?)?;
            if let Err(fault) = comparison.check() {
                bail!("the differences do not add up ({fault:?}); this is a fault of the program");
            }
            Ok(())
        })
        .await
    }

    /// Returns the order numbers in a file with an adoption and its order number on each line.
    fn named_orders(file: &Path) -> Result<BTreeMap<String, OrderId>> {
        let shown = file.display();
        let text = fs::read_to_string(file)
            .with_context(|| say(format!("cannot read {shown}"), format!("无法读取 {shown}")))?;
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(number, line)| {
                let (adoption, order) = line.trim().rsplit_once(',').unwrap_or_default();
                let order = order.parse().ok().with_context(|| {
                    say(
                        format!("{shown}: line {number} is not an adoption, a comma and its order number"),
                        format!("{shown}：第 {number} 行不是“认种名称,订单号”"),
                    )
                })?;
                Ok((adoption.trim_matches('"').to_owned(), order))
            })
            .collect()
    }

    /// The rows of adoptions that the ledger keeps.
    #[derive(Default)]
    struct AdoptionRows {
        /// The order numbers of rows by their primary keys.
        by_key: BTreeMap<String, OrderId>,
        /// Every order number that a row ever had.
        known: BTreeSet<OrderId>,
    }

    async fn adoption_rows(engine: &dyn Engine) -> Result<AdoptionRows> {
        let mut found = AdoptionRows::default();
        store::each_item(engine, Table::Source, |item| {
            let Some(((RowTable::Adoptions, key), stored)) = rows::row_of::<RowState>(item)? else {
                return Ok(());
            };
            let named = stored.row.business_keys_ever().into_iter().filter_map(|key| match key {
                BusinessKey::Order(order) => Some(order),
                BusinessKey::Account(_) => None,
            });
            found.known.extend(named);
            if let Some(RowImage::Adoption(image)) = stored.row.image()
                && let Some(order) = image.order.value()
            {
                found.by_key.insert(key.primary_key().to_owned(), *order);
            }
            anyhow::Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Reads the ledger.
    async fn ours(stack: &Stack) -> Result<Ours> {
        let engine = stack.engine();
        let network = store::network::read(engine).await?;
        let versions = match network {
            Some(network) => network.versions,
            None => Versions::starting(&stack.settings.policy_json)?,
        };
        let mut ours = Ours::default();
        store::each_item(engine, Table::Ledger, |item| {
            if let Some((owner, head)) = heads::account_of(item)? {
                let totals = head.money.totals;
                let (total, adjusted) = (totals.total()?, totals.adjusted);
                ours.accounts.insert(owner, OurAccount { total, adjusted, facts: head.node.facts });
            } else if let Some((order, head)) = heads::adoption_of(item)? {
                ours.adoptions.insert(order, adoption(&head.state, &versions)?);
            }
            anyhow::Ok(())
        })
        .await?;
        for manifest in manifests(engine).await? {
            let directory = snapshots::directory(engine, manifest.date).await?;
            let directory =
                directory.with_context(|| format!("the directory of {} is missing", manifest.date))?;
            let state = snapshots::state(engine, &directory).await?;
            let mut date = OurDate { network: manifest.totals.network, rows: BTreeMap::new() };
            for row in state.accounts().filter_map(|account| manifest.totals.row_of(account)) {
                let ratio = ::compare::earlier::units(&row.ratio.to_string(), 18);
                date.rows.insert(row.owner, (row.effective, ratio.context("a ratio has 18 decimals")?));
            }
            ours.dates.insert(manifest.date, date);
        }
        Ok(ours)
    }

    /// Returns the manifest of every closed date.
    async fn manifests(engine: &dyn Engine) -> Result<Vec<Manifest>> {
        let mut all: Vec<Manifest> = Vec::new();
        loop {
            let before = all.last().map(|manifest| manifest.date);
            let page = snapshots::manifests(engine, before, MANIFESTS_AT_ONCE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    fn adoption(state: &AdoptionState, versions: &Versions) -> Result<OurAdoption> {
        Ok(match state {
            AdoptionState::Absent => OurAdoption::Absent,
            AdoptionState::Unpriced => OurAdoption::Held("UNPRICED"),
            AdoptionState::Held(reason) => OurAdoption::Held(reason.name()),
            AdoptionState::Posted(posting) => {
                let version = versions.numbered(posting.version);
                let policy =
                    &version.with_context(|| format!("version {} is not known", posting.version))?.policy;
                OurAdoption::Posted {
                    legs: posting.legs(policy),
                    trees: posting.trees,
                    total: posting.total,
                    policy: Box::new(policy.clone()),
                }
            }
        })
    }

    fn write(directory: &Path, comparison: &Comparison, dates: &[MiningDate]) -> Result<()> {
        let language = say(::compare::Language::English, ::compare::Language::Chinese);
        let files = [
            ("accounts.csv", csv::accounts(comparison)?),
            ("legs.csv", csv::legs(comparison)),
            ("mining.csv", csv::mining(dates)),
            ("comparison.html", page::page(comparison, dates, language)?),
        ];
        let cannot_write = |path: &Path| {
            let path = path.display();
            say(format!("cannot write {path}"), format!("无法写入 {path}"))
        };
        fs::create_dir_all(directory).with_context(|| cannot_write(directory))?;
        for (name, content) in files {
            let file = directory.join(name);
            fs::write(&file, content).with_context(|| cannot_write(&file))?;
        }
        Ok(())
    }

    fn summary(comparison: &Comparison, dates: &[MiningDate], directory: &Path) -> Result<String> {
        let language = Language::of_environment();
        let difference = comparison.ours.checked_sub(comparison.earlier)?;
        let is_other = |account: &&::compare::AccountComparison| !account.reasons.is_empty();
        let (differing, all) =
            (comparison.accounts.values().filter(is_other).count(), comparison.accounts.len());
        let mut lines = vec![
            format!("{}{:>30}", language.say("earlier   ", "此前服务  "), comparison.earlier.to_string()),
            format!("{}{:>30}", language.say("ledger    ", "账本      "), comparison.ours.to_string()),
            format!("{}{:>30}", language.say("difference", "差额      "), csv::signed(difference)),
            language.say(
                format!("{differing} of {all} accounts differ, because of"),
                format!("{all} 个账户中有 {differing} 个不同，原因如下"),
            ),
        ];
        let mut sum = Amount::ZERO;
        for total in comparison.by_reason()? {
            let of_reason = total.more.checked_add(total.less)?;
            sum = sum.checked_add(of_reason)?;
            let (reason, accounts) = (total.reason.name(), total.accounts);
            let (more, less) = (csv::signed(total.more), csv::signed(total.less));
            let of_reason = csv::signed(of_reason);
            lines.push(language.say(
                format!(
                    "  {reason:<18}{accounts:>6} accounts  {more:>26} more {less:>26} less {of_reason:>26}"
                ),
                format!("  {reason:<18}{accounts:>6} 个账户  {more:>26} 多 {less:>26} 少 {of_reason:>26}"),
            ));
        }
        let sum = csv::signed(sum);
        lines.push(language.say(format!("  together{sum:>94}"), format!("  合计{sum:>94}")));
        for date in dates {
            let (day, accounts) = (date.date, date.differing());
            let elsewhere = csv::ratio(date.paid_too_much());
            lines.push(language.say(
                format!(
                    "{day}: {accounts} accounts were paid by another share; {elsewhere} of it went to others than the \
                     ledger says"
                ),
                format!("{day}：{accounts} 个账户按其他份额发放；其中 {elsewhere} 发给了账本所载以外的账户"),
            ));
        }
        let directory = directory.display();
        lines.push(language.say(
            format!("accounts.csv, legs.csv, mining.csv and comparison.html are in {directory}"),
            format!("accounts.csv、legs.csv、mining.csv 与 comparison.html 已写入 {directory}"),
        ));
        Ok(lines.join("\n"))
    }
}
