//! Computes a date from the date before, and publishes it.
//!
//! Touches: `Snapshots` (reads, writes).

use domain::log::Position;
use domain::proof::{Leaf, Secret, Tree, TreeBuilder};
use domain::snapshot::{
    CarriedState, DayChanges, Manifest, Restated, Row, RowsDigest, Totals, Unpublishable, Window, ranked,
};
use domain::{AmountOverflow, BusinessDate, Versions};
use store::dates::{DateClose, KnownVersions};
use store::snapshots::{self, Directory, NegativeWait, PageReference};
use store::{Engine, Item};

use crate::{SnapshotError, Time, changes};

/// How many items are made and put together.
const ITEMS_PER_PUT: usize = 100;

/// What is carried from the latest published date to the next.
pub(crate) struct Carried {
    state: CarriedState,
    /// The latest published date, and where its accounts are.
    latest: Option<(Manifest, Directory)>,
    versions: KnownVersions,
    secret: Secret,
}

/// What became of a date.
pub(crate) enum Published {
    /// It is published.
    Done {
        /// How many rows it has.
        rows: u64,
    },
    /// It waits, because HEADQUARTERS' row would be below zero.
    Negative(NegativeWait),
    /// There was no time for all of it. What is carried is no longer of use.
    Interrupted,
}

/// Everything that a date ends with.
struct Ending {
    manifest: Manifest,
    directory: Directory,
    tree: Tree,
    restated: Vec<Restated>,
    has_new_ranks: bool,
}

impl Carried {
    /// Loads what is carried over from the latest published date.
    pub(crate) async fn load(
        engine: &dyn Engine,
        latest: Option<Manifest>,
        versions: KnownVersions,
        secret: Secret,
    ) -> Result<Self, SnapshotError> {
        let Some(manifest) = latest else {
            return Ok(Self { state: CarriedState::default(), latest: None, versions, secret });
        };
        let directory = snapshots::directory(engine, manifest.date).await?;
        let directory = directory.expect("a directory is put before its manifest");
        let state = snapshots::state(engine, &directory).await?;
        Ok(Self { state, latest: Some((manifest, directory)), versions, secret })
    }

    /// Computes and publishes the date of this close. The log is indexed up to `indexed`.
    pub(crate) async fn publish(
        &mut self,
        engine: &dyn Engine,
        close: &DateClose,
        indexed: Position,
        time: &Time<'_>,
    ) -> Result<Published, SnapshotError> {
        let versions = self.versions.all();
        let mut window = self.window(close)?;
        let Some(mut changes) = changes::read(engine, &window, &versions, time).await? else {
            return Ok(Published::Interrupted);
        };
        self.state.apply(&changes)?;
        let totals = loop {
            match self.totals(&changes) {
                Ok(totals) => break totals,
                Err(Unpublishable::Overflow(overflow)) => return Err(overflow.into()),
                Err(Unpublishable::Negative { headquarters }) if window.cut >= indexed => {
                    let (date, looked_to) = (close.date, window.cut);
                    return Ok(Published::Negative(NegativeWait { date, headquarters, looked_to }));
                }
                Err(Unpublishable::Negative { .. }) => {
                    let (wider, more) = changes::next_page(engine, &window, &versions).await?;
                    self.state.apply(&more)?;
                    changes.extend(more)?;
                    window = wider;
                }
            }
            if !time.is_left() {
                return Ok(Published::Interrupted);
            }
        };
        self.state.finish();
        let ending = self.ending(close, &window, &changes, totals)?;
        if !self.put(engine, &ending, time).await? {
            return Ok(Published::Interrupted);
        }
        self.state.carry_over();
        let rows = ending.manifest.totals.rows;
        self.latest = Some((ending.manifest, ending.directory));
        Ok(Published::Done { rows })
    }

    fn window(&self, close: &DateClose) -> Result<Window, SnapshotError> {
        let Some((latest, _)) = &self.latest else {
            return Ok(Window { date: close.date, cut: close.position, previous: None });
        };
        if latest.date.next() != close.date {
            return Err(SnapshotError::OutOfSequence { date: close.date, previous: latest.date });
        }
        Ok(latest.next_window(close.position))
    }

    fn has_other_amounts(&self, changes: &DayChanges) -> bool {
        self.latest.is_none() || changes.amounts.values().any(|amount| !amount.is_zero())
    }

    /// Returns the date's totals. Where no amount changed, they are those of the date before.
    fn totals(&self, changes: &DayChanges) -> Result<Totals, Unpublishable> {
        match &self.latest {
            Some((latest, _)) if !self.has_other_amounts(changes) => Ok(latest.totals),
            _ => Totals::of(&self.state),
        }
    }

    fn ending(
        &self,
        close: &DateClose,
        window: &Window,
        changes: &DayChanges,
        totals: Totals,
    ) -> Result<Ending, SnapshotError> {
        let date = close.date;
        let latest = self.latest.as_ref();
        let has_new_ranks = self.has_other_amounts(changes);
        let tree = self.tree(date, &totals)?;
        let restated = changes.restated()?;
        let ranked_on =
            latest.filter(|_| !has_new_ranks).map(|(latest, _)| (latest.digest, latest.ranked_on));
        let (digest, ranked_on) = ranked_on.unwrap_or_else(|| (self.digest(&totals), date));
        let manifest = Manifest {
            date,
            first_date: window.previous.map_or(date, |previous| previous.first_date),
            closed_at: close.position,
            cut: window.cut,
            closed_at_ms: close.time_ms,
            policy_version: in_force(&self.versions.up_to(window.cut), date),
            totals,
            digest,
            root: tree.root(date)?,
            secret_id: self.secret.id(),
            accounts: self.state.count() as u64,
            restated: restated.len() as u64,
            ranked_on,
        };
        let directory = self.directory(date, &totals);
        Ok(Ending { manifest, directory, tree, restated, has_new_ranks })
    }

    fn tree(&self, date: BusinessDate, totals: &Totals) -> Result<Tree, AmountOverflow> {
        let mut tree = TreeBuilder::new(totals.rows);
        for row in self.state.accounts().filter_map(|account| totals.row_of(account)) {
            let salt = self.secret.salt(date, &row.owner);
            tree.add(Leaf::of(&row, date, &salt))?;
        }
        Ok(tree.finish())
    }

    fn digest(&self, totals: &Totals) -> domain::log::PageHash {
        let mut digest = RowsDigest::default();
        for (owner, effective) in ranked(&self.state, totals) {
            let row: Row = totals.row(owner, effective).expect("what is ranked has a row");
            digest.add(&row);
        }
        digest.finish()
    }

    fn directory(&self, date: BusinessDate, totals: &Totals) -> Directory {
        let before = self.latest.as_ref().map(|(_, directory)| directory);
        let before = before.filter(|directory| directory.pages_log2 == self.state.pages_log2());
        let reference = |(number, page): (usize, &domain::snapshot::CarriedPage)| {
            let rows = page.accounts().filter(|account| totals.row_of(account).is_some()).count();
            let unchanged = before.filter(|_| !page.is_changed()).map(|before| before.pages[number].date);
            PageReference {
                date: unchanged.unwrap_or(date),
                rows: u32::try_from(rows).expect("a page has few rows"),
            }
        };
        let pages = self.state.pages().iter().enumerate().map(reference).collect();
        Directory { pages_log2: self.state.pages_log2(), pages }
    }

    /// Puts everything, the manifest last. Returns whether there was time for it.
    async fn put(
        &self,
        engine: &dyn Engine,
        ending: &Ending,
        time: &Time<'_>,
    ) -> Result<bool, SnapshotError> {
        let date = ending.manifest.date;
        let changed = (0..).zip(self.state.pages()).filter(|(_, page)| page.is_changed());
        let accounts = changed.map(|(number, page)| snapshots::accounts_page(date, number, page));
        let ranks =
            if ending.has_new_ranks { ranked(&self.state, &ending.manifest.totals) } else { Vec::new() };
        let ranks = (0..).zip(ranks.chunks(snapshots::RANKED_ROWS_PER_PAGE));
        let ranks = ranks.map(|(number, rows)| snapshots::ranked_page(date, number, rows));
        let restated = (0..).zip(ending.restated.chunks(snapshots::RESTATED_PER_PAGE));
        let restated = restated.map(|(number, list)| snapshots::restated_page(date, number, list));
        let tree = snapshots::tree_parts(date, ending.tree.blocks());
        let directory = snapshots::directory_item(date, &ending.directory);
        let mut items = accounts.chain(ranks).chain(restated).chain(tree).chain([directory]);
        // Where the first items are there already, an earlier computation was ended half way.
        let mut is_repeated = false;
        loop {
            let items: Vec<Item> = items.by_ref().take(ITEMS_PER_PUT).collect();
            if items.is_empty() {
                break;
            }
            if !time.is_left() {
                return Ok(false);
            }
            is_repeated |= snapshots::put(engine, items, is_repeated).await? > 0;
        }
        snapshots::put(engine, vec![snapshots::manifest_item(&ending.manifest)], false).await?;
        Ok(true)
    }
}

fn in_force(versions: &Versions, date: BusinessDate) -> domain::VersionNumber {
    versions.in_force(date).terms.number
}
