//! Reads of single items and of pages.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::capacity::Direction;
use super::key::Key;
use super::request::{Get, Page, PageOptions, PartitionRead, Query, Scan, end_of_partition};
use super::store::Table;
use super::stored::Stored;
use super::units::Units;
use crate::clock::Millis;
use crate::error::ServiceError;
use crate::expression::{Condition, KeyCondition, Path, SortCondition, project};
use crate::value::{Item, Text};

/// The most bytes of one page.
pub(super) const MAX_PAGE_BYTES: usize = 1_024 * 1_024;

impl Table {
    /// Reads one item.
    pub(super) fn read(&mut self, now_ms: Millis, get: &Get) -> (Result<Option<Item>, ServiceError>, Units) {
        let key = match self.schema.exact_key(&get.key) {
            Ok(key) => key,
            Err(error) => return (Err(error), Units::ZERO),
        };
        let stored = self.get(now_ms, &key, get.consistent);
        let units = Units::read(stored.as_ref().map_or(0, |stored| stored.bytes), get.consistent);
        if let Err(throttled) = self.charge(now_ms, Direction::Read, &key.partition, units) {
            return (Err(throttled), Units::ZERO);
        }
        (Ok(stored.map(|stored| projected(&stored.item, get.projection.as_deref()))), units)
    }

    /// Reads a page of one partition.
    pub(super) fn query(&mut self, now_ms: Millis, query: &Query) -> (Result<Page, ServiceError>, Units) {
        match self.gather_query(now_ms, query) {
            Err(error) => (Err(error), Units::ZERO),
            Ok((partition, gathered)) => {
                let units = Units::read(gathered.bytes, query.page.consistent);
                match self.charge(now_ms, Direction::Read, &partition, units) {
                    Err(throttled) => (Err(throttled), Units::ZERO),
                    Ok(()) => (Ok(self.page(&gathered, query.filter.as_ref(), &query.page)), units),
                }
            }
        }
    }

    /// Reads a page of some partitions, each of which is charged by itself.
    pub(super) fn read_partitions(
        &mut self,
        now_ms: Millis,
        read: &PartitionRead,
    ) -> (Result<Page, ServiceError>, Units) {
        let (gathered, by_key) = match self.gather_partitions(now_ms, read) {
            Ok(gathered) => gathered,
            Err(error) => return (Err(error), Units::ZERO),
        };
        let units = by_key.iter().map(|(_, units)| *units).sum();
        match self.charge_keys(now_ms, Direction::Read, units, &by_key) {
            Err(throttled) => (Err(throttled), Units::ZERO),
            Ok(()) => (Ok(self.page(&gathered, read.filter.as_ref(), &read.page)), units),
        }
    }

    /// Reads a page of the table.
    pub(super) fn scan(&mut self, now_ms: Millis, scan: &Scan) -> (Result<Page, ServiceError>, Units) {
        let start = match self.start_key(&scan.page) {
            Ok(start) => start,
            Err(error) => return (Err(error), Units::ZERO),
        };
        let bounds = (start.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let belongs = |key: &Key| {
            scan.segment.is_none_or(|(segment, segments)| stable_hash(&key.partition) % segments == segment)
        };
        let gathered = {
            let view = self.view(now_ms, scan.page.consistent, |_| true);
            let mut gathered = Gathered::new(&scan.page);
            view.walk(bounds, true, |key, stored| !belongs(key) || gathered.add(key, stored));
            gathered
        };
        let units = Units::read(gathered.bytes, scan.page.consistent);
        let mut bytes_by_key: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, stored) in &gathered.items {
            *bytes_by_key.entry(&key.partition).or_default() += stored.bytes;
        }
        let by_key: Vec<(&str, Units)> = bytes_by_key
            .into_iter()
            .map(|(partition, bytes)| (partition, Units::read(bytes, scan.page.consistent)))
            .collect();
        match self.charge_keys(now_ms, Direction::Read, units, &by_key) {
            Err(throttled) => (Err(throttled), Units::ZERO),
            Ok(()) => (Ok(self.page(&gathered, scan.filter.as_ref(), &scan.page)), units),
        }
    }

    fn gather_query(&mut self, now_ms: Millis, query: &Query) -> Result<(Text, Gathered), ServiceError> {
        let condition = query.key_condition(&self.schema)?;
        if let Some(filter) = &query.filter {
            let mut key_attribute = None;
            filter.visit_paths(&mut |path| {
                if self.schema.contains(&path.root) {
                    key_attribute = Some(path.root.clone());
                }
            });
            if let Some(name) = key_attribute {
                return Err(ServiceError::validation(format!(
                    "Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
                )));
            }
        }
        let start = self.start_key(&query.page)?;
        if start.as_ref().is_some_and(|start| start.partition != condition.partition) {
            return Err(outside_boundaries());
        }
        let in_range = |start: &Key| condition.sort.as_ref().is_none_or(|range| range.contains(&start.sort));
        if !start.as_ref().is_none_or(in_range) {
            return Err(ServiceError::validation(
                "The provided starting key does not match the range key predicate",
            ));
        }
        let KeyCondition { partition, sort } = condition;
        let mut gathered = Gathered::new(&query.page);
        let range = Range { partition: &partition, sort: sort.as_ref(), start, forward: query.forward };
        self.gather_partition(now_ms, range, query.page.consistent, &mut gathered);
        Ok((partition, gathered))
    }

    fn gather_partitions<'read>(
        &mut self,
        now_ms: Millis,
        read: &'read PartitionRead,
    ) -> Result<(Gathered, Vec<(&'read str, Units)>), ServiceError> {
        let mut start = self.start_key(&read.page)?;
        let first = match &start {
            None => 0,
            Some(start) => {
                let found = read.partitions.iter().position(|partition| *partition == start.partition);
                found.ok_or_else(outside_boundaries)?
            }
        };
        let mut gathered = Gathered::new(&read.page);
        let mut by_key = Vec::new();
        for partition in &read.partitions[first..] {
            let bytes_before = gathered.bytes;
            let (sort, start) = (read.sort.as_ref(), start.take());
            let range = Range { partition, sort, start, forward: read.forward };
            self.gather_partition(now_ms, range, read.page.consistent, &mut gathered);
            let units = Units::read(gathered.bytes - bytes_before, read.page.consistent);
            by_key.push((partition.as_str(), units));
            if gathered.ended_early {
                break;
            }
        }
        Ok((gathered, by_key))
    }

    /// Adds what a partition has in a range, until the page is full.
    fn gather_partition(
        &mut self,
        now_ms: Millis,
        range: Range<'_>,
        consistent: bool,
        gathered: &mut Gathered,
    ) {
        let Range { partition, sort, start, forward } = range;
        let lowest = sort.map_or("", SortCondition::lower_bound).into();
        let mut bounds = (
            Bound::Included(Key { partition: partition.clone(), sort: lowest }),
            Bound::Excluded(end_of_partition(partition)),
        );
        match start {
            None => {}
            Some(start) if forward => {
                if matches!(&bounds.0, Bound::Included(low) if *low <= start) {
                    bounds.0 = Bound::Excluded(start);
                }
            }
            Some(start) => bounds.1 = Bound::Excluded(start),
        }
        if is_empty(&bounds) {
            return;
        }
        let view = self.view(now_ms, consistent, |key| key.partition == *partition);
        view.walk(bounds, forward, |key, stored| match sort {
            Some(range) if !range.contains(&key.sort) => !(forward && range.ends_before(&key.sort)),
            _ => gathered.add(key, stored),
        });
    }

    fn start_key(&self, page: &PageOptions) -> Result<Option<Key>, ServiceError> {
        page.start
            .as_ref()
            .map(|start| {
                self.schema
                    .exact_key(start)
                    .map_err(|_| ServiceError::validation("The provided starting key is invalid"))
            })
            .transpose()
    }

    fn page(&self, gathered: &Gathered, filter: Option<&Condition>, options: &PageOptions) -> Page {
        let passed: Vec<&Arc<Stored>> = gathered
            .items
            .iter()
            .map(|(_, stored)| stored)
            .filter(|stored| filter.is_none_or(|filter| filter.holds(&stored.item)))
            .collect();
        let last = gathered.items.last().filter(|_| gathered.ended_early);
        Page {
            count: passed.len(),
            scanned: gathered.items.len(),
            last: last.map(|(key, _)| self.schema.attributes_of(key)),
            items: if options.count_only {
                Vec::new()
            } else {
                passed.iter().map(|stored| projected(&stored.item, options.projection.as_deref())).collect()
            },
            count_only: options.count_only,
        }
    }
}

/// A range of one partition.
struct Range<'read> {
    partition: &'read Text,
    sort: Option<&'read SortCondition>,
    start: Option<Key>,
    forward: bool,
}

/// What a page has gathered: it ends before it is too large, or when its limit is reached.
struct Gathered {
    items: Vec<(Key, Arc<Stored>)>,
    bytes: usize,
    limit: usize,
    ended_early: bool,
}

impl Gathered {
    fn new(page: &PageOptions) -> Self {
        Self { items: Vec::new(), bytes: 0, limit: page.limit.unwrap_or(usize::MAX), ended_early: false }
    }

    /// Takes an item if it fits, and returns whether the page goes on.
    fn add(&mut self, key: &Key, stored: &Arc<Stored>) -> bool {
        if !self.items.is_empty() && self.bytes + stored.bytes > MAX_PAGE_BYTES {
            self.ended_early = true;
            return false;
        }
        self.bytes += stored.bytes;
        self.items.push((key.clone(), stored.clone()));
        self.ended_early = self.items.len() == self.limit;
        !self.ended_early
    }
}

/// Returns an item's wanted parts.
pub(super) fn projected(item: &Item, projection: Option<&[Path]>) -> Item {
    match projection {
        Some(paths) => project(item, paths),
        None => item.clone(),
    }
}

fn is_empty(bounds: &(Bound<Key>, Bound<Key>)) -> bool {
    match (&bounds.0, &bounds.1) {
        (Bound::Included(low) | Bound::Excluded(low), Bound::Excluded(high)) => low >= high,
        _ => false,
    }
}

fn outside_boundaries() -> ServiceError {
    ServiceError::validation("The provided starting key is outside query boundaries")
}

/// Returns a hash that is the same in every run: FNV-1a.
fn stable_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
