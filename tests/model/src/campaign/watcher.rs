//! Sees every change of the tables in the moment in which it takes effect, and says what must not be.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use domain::log::{Entry, Position};
use domain::{OrderId, Versions};
use store::{Item, Shard, StoreError, Table};

use super::shadow::Shadow;
use crate::bench::Effect;

/// The invariants that hold after every effect.
pub(super) struct Watcher {
    pub(super) shadow: Shadow,
    shards: u32,
    /// The position at which each head stands, by its partition key.
    heads: BTreeMap<String, Position>,
    /// When which order was committed at the source, in milliseconds since 1970.
    committed: Vec<(i64, OrderId)>,
    zone: Tz,
}

impl Watcher {
    pub(super) fn new(versions: Versions, shards: u32, zone: Tz) -> Self {
        Self { shadow: Shadow::new(versions), shards, heads: BTreeMap::new(), committed: Vec::new(), zone }
    }

    /// Learns when which order was committed at the source.
    pub(super) fn know_committed(&mut self, committed: Vec<(i64, OrderId)>) {
        self.committed = committed;
    }

    /// Returns what must not be and is, now that this took effect.
    pub(super) fn see(&mut self, effect: &Effect) -> Vec<String> {
        let item = effect.item();
        let found = match item.key.table {
            Table::Log => self.see_page(effect),
            Table::Snapshots => {
                let is_new = effect.before.is_none() || effect.before == effect.after;
                Ok(if is_new {
                    Vec::new()
                } else {
                    vec![format!("{} changed after it was written", item.key)]
                })
            }
            Table::Ledger => self.see_ledger(effect),
            Table::Source => Ok(Vec::new()),
        };
        found.unwrap_or_else(|error| vec![error.to_string()])
    }

    fn see_page(&mut self, effect: &Effect) -> Result<Vec<String>, StoreError> {
        let Some(item) = effect.after.as_ref().filter(|_| effect.before.is_none()) else {
            return Ok(vec![format!("{} changed after it was written", effect.item().key)]);
        };
        Ok(match store::log::page_of(item)? {
            Some(page) => {
                let mut found = self.shadow.see(&page);
                found.extend(page.entries.iter().flat_map(|entry| self.early(entry)));
                found
            }
            None => vec![format!("{} is no page", item.key)],
        })
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
        let Some(item) = &effect.after else { return Ok(Vec::new()) };
        let kind = item.key.partition.split('#').next().unwrap_or_default();
        let before = effect.before.as_ref().map_or(0, |before| before.revision);
        let mut found = match kind {
            "ACCOUNT" => self.see_account(item)?,
            "ADOPTION" => self.see_adoption(item)?,
            "MARKS" => self.see_mark(item),
            "LINES" => {
                self.shadow.situations.count("lines of an account filled a page of their own");
                Vec::new()
            }
            "RESTATED" => Vec::new(),
            _ => return Ok(Vec::new()),
        };
        if before > item.revision {
            found.push(format!("{} went back from {before} to {}", item.key, item.revision));
        }
        if kind == "ACCOUNT" || kind == "ADOPTION" {
            self.heads.insert(item.key.partition.clone(), item.revision);
        }
        Ok(found)
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
    fn see_mark(&self, mark: &Item) -> Vec<String> {
        let at = mark.revision;
        if at > self.shadow.position() {
            return vec![format!("the mark {} is at {at}, and the log is not", mark.key.sort)];
        }
        let Some(shard) = mark.key.sort.strip_prefix("HEADS#") else { return Vec::new() };
        let is_of_shard = |name: &str| Shard::of(name, self.shards).to_string() == shard;
        let owners = self.shadow.owners().map(|owner| (owner.to_string(), self.shadow.account(owner, at)));
        let owners = owners.map(|(name, then)| ("ACCOUNT", name, then.map(|(last, _)| last)));
        let orders = self.shadow.order_ids();
        let orders = orders.map(|order| (order.to_string(), self.shadow.order(order, at)));
        let orders = orders.map(|(name, then)| ("ADOPTION", name, then.map(|(last, _)| last)));
        let mut found = Vec::new();
        for (kind, name, last) in owners.chain(orders) {
            let Some(last) = last.filter(|_| is_of_shard(&name)) else { continue };
            let key = format!("{kind}#{name}");
            if self.heads.get(&key).copied().unwrap_or_default() < last {
                found.push(format!("the mark {} is at {at}, and {key} lacks page {last}", mark.key.sort));
            }
        }
        found
    }
}
