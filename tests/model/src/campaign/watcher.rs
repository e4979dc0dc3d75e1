//! Sees every change of the tables in the moment in which it takes effect, and says what must not be.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use domain::log::{Entry, Position};
use domain::{OrderId, Versions};
use store::{Item, Shard, StoreError, Table};

use super::shadow::Shadow;
use crate::bench::Effect;
use crate::clock::Millis;

/// Items whose revision has no order: that of a mark of talent is drawn; what a date waits for, and a record that is
/// refused again, are put as a whole.
const WITHOUT_ORDER: [&str; 3] = ["QUARANTINE", "SNAPSHOT", "TALENT_MARKS"];

/// The invariants that hold after every effect.
pub(super) struct Watcher {
    pub(super) shadow: Shadow,
    shards: u32,
    /// The pages that heads lack, by shard and partition key.
    lacking: BTreeMap<String, BTreeMap<String, BTreeSet<Position>>>,
    /// When which order was committed at the source, in milliseconds since 1970.
    committed: Vec<(i64, OrderId)>,
    zone: Tz,
    /// The keys of the reports of audits.
    audited: BTreeSet<String>,
    /// How often the ledger's table changed.
    pub(super) ledger_changes: u64,
    pub(super) reached: Reached,
}

/// When what events tell could be asked for.
#[derive(Default)]
pub(super) struct Reached {
    /// When the heads of each shard included the pages up to which position.
    heads: BTreeMap<String, Vec<(Millis, Position)>>,
    /// When which date was published.
    published: BTreeMap<String, Millis>,
}

impl Reached {
    /// Returns the last page that all heads included at a time.
    pub(super) fn heads_at(&self, at_ms: Millis) -> Position {
        let of_shard = |marks: &Vec<(Millis, Position)>| {
            let before = marks.iter().take_while(|(reached_ms, _)| *reached_ms <= at_ms);
            before.map(|(_, position)| *position).max().unwrap_or_default()
        };
        self.heads.values().map(of_shard).min().unwrap_or_default()
    }

    /// Returns when a date was published.
    pub(super) fn published_ms(&self, date: &str) -> Option<Millis> {
        self.published.get(date).copied()
    }

    fn see(&mut self, at_ms: Millis, effect: &Effect) {
        match (effect.table, effect.kind()) {
            (Table::Ledger, "MARKS") if effect.key.sort.starts_with("HEADS#") => {
                let marks = self.heads.entry(effect.key.sort.to_string()).or_default();
                marks.extend(effect.revision_after().map(|position| (at_ms, position)));
            }
            (Table::Snapshots, "MANIFESTS") => {
                self.published.entry(effect.key.sort.to_string()).or_insert(at_ms);
            }
            _ => {}
        }
    }
}

impl Watcher {
    pub(super) fn new(versions: Versions, shards: u32, zone: Tz) -> Self {
        let shadow = Shadow::new(versions);
        Self {
            shadow,
            shards,
            lacking: BTreeMap::new(),
            committed: Vec::new(),
            zone,
            audited: BTreeSet::new(),
            ledger_changes: 0,
            reached: Reached::default(),
        }
    }

    /// Learns when which order was committed at the source.
    pub(super) fn know_committed(&mut self, committed: Vec<(i64, OrderId)>) {
        self.committed = committed;
    }

    /// Returns what must not be and is, now that this took effect.
    pub(super) fn see(&mut self, at_ms: Millis, effect: &Effect) -> Vec<String> {
        self.reached.see(at_ms, effect);
        let found = match effect.table {
            Table::Log => self.see_page(effect),
            Table::Snapshots if effect.revision_before().is_some() => {
                Ok(vec![format!("{} was written again", key_of(effect))])
            }
            Table::Ledger => self.see_ledger(effect),
            Table::Snapshots | Table::Source => Ok(Vec::new()),
        };
        let mut found = found.unwrap_or_else(|error| vec![error.to_string()]);
        found.extend(went_back(effect));
        found
    }

    fn see_page(&mut self, effect: &Effect) -> Result<Vec<String>, StoreError> {
        let Some(item) = effect.after().filter(|_| effect.revision_before().is_none()) else {
            return Ok(vec![format!("{} changed after it was written", key_of(effect))]);
        };
        Ok(match store::log::page_of(&item)? {
            Some(page) => {
                let mut found = self.shadow.see(&page);
                self.expect_heads(page.position);
                found.extend(page.entries.iter().flat_map(|entry| self.early(entry)));
                found
            }
            None => vec![format!("{} is no page", item.key)],
        })
    }

    /// Notes that the heads which the last page changes lack it from now on.
    fn expect_heads(&mut self, position: Position) {
        let (owners, orders) = self.shadow.touched_by_last();
        let owners = owners.iter().map(|owner| ("ACCOUNT", owner.to_string()));
        let orders = orders.iter().map(|order| ("ADOPTION", order.to_string()));
        for (kind, name) in owners.chain(orders) {
            let shard = Shard::of(&name, self.shards).to_string();
            let heads = self.lacking.entry(shard).or_default();
            heads.entry(format!("{kind}#{name}")).or_default().insert(position);
        }
    }

    /// Returns what was decided early: a place is decided, and a date closed, only when every order that was
    /// committed before is in the log.
    fn early(&self, entry: &Entry) -> Vec<String> {
        let (before_ms, what) = match entry {
            Entry::Placed { order, read_through_ms: Some(before_ms), .. } => {
                (*before_ms, format!("order {order} gets its place"))
            }
            Entry::Close(terms) => {
                (terms.date.begins_at(self.zone).timestamp_millis(), format!("{} is closed", terms.date))
            }
            _ => return Vec::new(),
        };
        let is_missing = |(committed_ms, order): &&(i64, OrderId)| {
            *committed_ms < before_ms && self.shadow.order(*order, self.shadow.position()).is_none()
        };
        let missing = self.committed.iter().filter(is_missing);
        missing
            .map(|(_, order)| format!("{what} before order {order}, committed earlier, is in the log"))
            .collect()
    }

    fn see_ledger(&mut self, effect: &Effect) -> Result<Vec<String>, StoreError> {
        self.ledger_changes += u64::from(!effect.changes_nothing());
        let kind = effect.kind();
        if kind == "AUDIT" {
            return self.see_audit(effect);
        }
        let Some(revision) = effect.revision_after() else { return Ok(Vec::new()) };
        match kind {
            "AUDIT_REPORTS" => {
                self.audited.insert(effect.key.sort.to_string());
                Ok(Vec::new())
            }
            "ACCOUNT" | "ADOPTION" => {
                let item = effect.after().expect("it has a revision");
                let found =
                    if kind == "ACCOUNT" { self.see_account(&item)? } else { self.see_adoption(&item)? };
                self.note_head(&effect.key.partition, revision);
                Ok(found)
            }
            "MARKS" => Ok(self.see_mark(&effect.key.sort, revision)),
            "LINES" => {
                self.shadow.situations.count("lines of an account filled a page of their own");
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Checks an audit: it begins at its beginning, goes on until its report is there, and no other one takes its
    /// place.
    fn see_audit(&self, effect: &Effect) -> Result<Vec<String>, StoreError> {
        let name = |item: &Item| {
            let audit = store::audit::progress_of(item)?;
            let sort = store::audit::report_sort(audit.position, audit.began_ms);
            Ok::<_, StoreError>((sort, audit.revision == store::audit::first_revision(audit.began_ms)))
        };
        let before = effect.before().as_ref().map(name).transpose()?;
        let after = effect.after().as_ref().map(name).transpose()?;
        Ok(match (before, after) {
            (None, Some((audit, false))) => {
                vec![format!("the audit {audit} goes on although it has ended")]
            }
            (Some((audit, _)), None) if !self.audited.contains(&audit) => {
                vec![format!("the audit {audit} ends without a report")]
            }
            (Some((before, _)), Some((after, _))) if before != after => {
                vec![format!("the audit {after} takes the place of {before}, which has not ended")]
            }
            _ => Vec::new(),
        })
    }

    /// Notes that the head of this key includes the pages up to a position.
    fn note_head(&mut self, key: &str, position: Position) {
        for heads in self.lacking.values_mut() {
            let Some(lacks) = heads.get_mut(key) else { continue };
            lacks.retain(|lacking| *lacking > position);
            if lacks.is_empty() {
                heads.remove(key);
            }
        }
    }

    fn see_account(&self, item: &Item) -> Result<Vec<String>, StoreError> {
        let Some((owner, head)) = store::heads::account_of(item)? else { return Ok(Vec::new()) };
        let at = item.revision;
        let Some((last, then)) = self.shadow.account(&owner, at) else {
            return Ok(vec![format!("{owner} has a head at {at}, and no page up to there concerns it")]);
        };
        let mut found = Vec::new();
        if last != at {
            found.push(format!(
                "the head of {owner} stands at {at}, and the page that changed it last is {last}"
            ));
        }
        if head.money.totals != then.totals || head.money.lines.count != then.lines {
            let (is, must_be) = (&head.money.totals, &then.totals);
            found.push(format!("the totals of {owner} at {at} are {is:?}, and its lines sum to {must_be:?}"));
        }
        if head.node != then.node {
            found.push(format!("what decides unlocks of {owner} at {at} is not what the log says"));
        }
        Ok(found)
    }

    fn see_adoption(&self, item: &Item) -> Result<Vec<String>, StoreError> {
        let Some((order, head)) = store::heads::adoption_of(item)? else { return Ok(Vec::new()) };
        let at = item.revision;
        let is_right = self.shadow.order(order, at).is_some_and(|(last, then)| last == at && *then == head);
        let wrong = || format!("the head of order {order} at {at} is not what the log says");
        Ok(if is_right { Vec::new() } else { vec![wrong()] })
    }

    /// Checks a mark: it says that every head of its shard includes the pages up to it.
    fn see_mark(&self, name: &str, at: Position) -> Vec<String> {
        if at > self.shadow.position() {
            return vec![format!("the mark {name} is at {at}, and the log is not")];
        }
        let heads = name.strip_prefix("HEADS#").and_then(|shard| self.lacking.get(shard));
        let lacking = heads.into_iter().flatten().filter_map(|(key, lacks)| Some((key, lacks.first()?)));
        lacking
            .filter(|(_, lacks)| **lacks <= at)
            .map(|(key, lacks)| format!("the mark {name} is at {at}, and {key} lacks page {lacks}"))
            .collect()
    }
}

fn key_of(effect: &Effect) -> String {
    format!("{} {}/{}", effect.table.logical_name(), effect.key.partition, effect.key.sort)
}

/// Returns what is wrong with a revision: what changes gets a higher one, because it is read before it is written.
fn went_back(effect: &Effect) -> Option<String> {
    let (before, after) = (effect.revision_before()?, effect.revision_after()?);
    let is_right = after > before || effect.changes_nothing() || WITHOUT_ORDER.contains(&effect.kind());
    (!is_right).then(|| format!("{} went from revision {before} to {after}", key_of(effect)))
}
