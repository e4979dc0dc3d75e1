//! The source's last rows, read from either of the formats that captures come in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AMOUNT_LIMIT, AMOUNT_SCALE, Adoption, LEVELS, Options};
use crate::capture::CaptureRecord;

/// The last version of every row that is not deleted.
#[derive(Default)]
pub(super) struct Source {
    pub(super) users: BTreeSet<String>,
    /// Who referred each account that has a referral row; roots have nobody.
    pub(super) referrers: BTreeMap<String, Option<String>>,
    orders: BTreeMap<u64, OrderRow>,
}

#[derive(Deserialize)]
struct UserRow {
    account_sequence: String,
}

#[derive(Deserialize)]
struct ReferralRow {
    account_sequence: String,
    referrer_account_sequence: Option<String>,
}

/// An order.
#[derive(Deserialize)]
pub(super) struct OrderRow {
    pub(super) order_id: u64,
    pub(super) account_sequence: String,
    pub(super) tree_count: u64,
    /// As the capture's format writes it; some sources have no such column.
    contribution_per_tree: Option<String>,
    /// In days since 1970.
    pub(super) adoption_date: i64,
    status: String,
    pub(super) selected_province: Option<String>,
    pub(super) selected_city: Option<String>,
    /// Set after reading: whether the price is written as bytes.
    #[serde(skip)]
    has_binary_price: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Table {
    Users,
    Referrals,
    Orders,
}

/// One version of a row, or of its absence.
struct Version {
    /// What makes one version newer than another: the position in the source's log, then in the topic.
    position: (u64, i64),
    row: Option<Value>,
    is_envelope: bool,
}

impl Source {
    pub(super) fn last_rows(records: &[CaptureRecord]) -> Self {
        let mut last: BTreeMap<(Table, &str), Version> = BTreeMap::new();
        for record in records {
            let Some((table, version)) = Version::read(record) else { continue };
            let key = record.key.as_deref().unwrap_or_else(|| malformed(record, "a change has a key"));
            match last.get(&(table, key)) {
                Some(known) if known.position >= version.position => {}
                _ => drop(last.insert((table, key), version)),
            }
        }

        let mut source = Self::default();
        for ((table, _), Version { row, is_envelope, .. }) in last {
            let Some(row) = row else { continue };
            match table {
                Table::Users => {
                    let row: UserRow = typed(row);
                    source.users.insert(row.account_sequence);
                }
                Table::Referrals => {
                    let row: ReferralRow = typed(row);
                    let referrer = row.referrer_account_sequence.filter(|text| !text.is_empty());
                    source.referrers.insert(row.account_sequence, referrer);
                }
                Table::Orders => {
                    let row = OrderRow { has_binary_price: is_envelope, ..typed(row) };
                    source.orders.insert(row.order_id, row);
                }
            }
        }
        source
    }

    /// The adoptions to distribute, ascending, and the others with what holds them.
    pub(super) fn adoptions(&self, options: &Options) -> (Vec<Adoption<'_>>, Vec<(u64, &'static str)>) {
        let mut adoptions = Vec::new();
        let mut held = Vec::new();
        let mut trees_before = 0;
        for row in self.orders.values() {
            if !options.distributable_statuses.contains(&row.status) {
                held.push((row.order_id, "STATUS"));
                continue;
            }
            let per_tree = row.contribution_per_tree(trees_before);
            trees_before += row.tree_count;
            let total =
                i128::from(row.tree_count).checked_mul(per_tree).filter(|total| *total < AMOUNT_LIMIT);
            match (self.upline(&row.account_sequence), total) {
                (None, _) => held.push((row.order_id, "NO_REFERRAL")),
                (_, None) => held.push((row.order_id, "AMOUNT_OVERFLOW")),
                (Some(upline), Some(total)) => adoptions.push(Adoption { row, upline, total }),
            }
        }
        (adoptions, held)
    }

    /// The ancestors that take part in an account's adoptions, unless one of their rows or the
    /// account's own is missing.
    fn upline(&self, account: &str) -> Option<Vec<&str>> {
        let mut upline = Vec::with_capacity(LEVELS);
        let mut referrer = self.referrers.get(account)?.as_deref();
        while let Some(ancestor) = referrer.filter(|_| upline.len() < LEVELS) {
            upline.push(ancestor);
            referrer = self.referrers.get(ancestor)?.as_deref();
        }
        Some(upline)
    }

    pub(super) fn talent_to_json(&self) -> Value {
        const LEVELS_COUNTED: usize = 20;
        /// What each level asks for: direct referrals, and descendants.
        const TABLE: [(usize, usize); 5] = [(3, 10), (8, 30), (15, 80), (30, 200), (50, 500)];

        let mut direct: HashMap<&str, usize> = HashMap::new();
        let mut promotion: HashMap<&str, usize> = HashMap::new();
        for (account, referrer) in &self.referrers {
            let mut seen = HashSet::from([account.as_str()]);
            let mut referrer = referrer.as_deref();
            if let Some(referrer) = referrer {
                *direct.entry(referrer).or_default() += 1;
            }
            // Rows that close a cycle are refused by the ledger; here they must only come to an end.
            while let Some(ancestor) = referrer.filter(|_| seen.len() <= LEVELS_COUNTED) {
                if !seen.insert(ancestor) {
                    break;
                }
                *promotion.entry(ancestor).or_default() += 1;
                referrer = self.referrers.get(ancestor).and_then(Option::as_deref);
            }
        }
        let talent = self.users.iter().map(|account| {
            let direct = direct.get(account.as_str()).copied().unwrap_or(0);
            let promotion = promotion.get(account.as_str()).copied().unwrap_or(0);
            let met = |needed: &(usize, usize)| direct >= needed.0 && promotion >= needed.1;
            let level = TABLE.iter().rposition(met).map_or(0, |index| index + 1);
            let row = json!({ "direct_count": direct, "promotion_count": promotion, "talent_level": level });
            (account.clone(), row)
        });
        Value::Object(talent.collect())
    }
}

impl Version {
    /// Reads a change, from either of the formats that captures come in.
    fn read(record: &CaptureRecord) -> Option<(Table, Self)> {
        let table = match record.topic.rsplit('.').next()? {
            "users" | "user_accounts" => Table::Users,
            "referral_relations" | "referral_relationships" => Table::Referrals,
            "planting_orders" | "adoptions" => Table::Orders,
            _ => return None,
        };
        // A tombstone says nothing that the delete before it did not.
        let text = record.value.as_deref().filter(|text| !text.is_empty())?;
        let mut change: Value =
            serde_json::from_str(text).unwrap_or_else(|_| malformed(record, "a value is JSON"));
        let is_envelope = change.get("source").is_some();
        let (operation, lsn) = if is_envelope {
            (&change["op"], &change["source"]["lsn"])
        } else {
            (&change["__op"], &change["__lsn"])
        };
        let lsn = lsn.as_u64().unwrap_or_else(|| malformed(record, "a change has a position"));
        let is_delete = match operation.as_str() {
            Some("c" | "r" | "u") => false,
            Some("d") => true,
            _ => malformed(record, "a change creates, reads, updates or deletes"),
        };
        let row = if is_envelope { change["after"].take() } else { change };
        let position = (lsn, record.offset);
        Some((table, Self { position, row: (!is_delete).then_some(row), is_envelope }))
    }
}

impl OrderRow {
    /// The price as sent, or else from the ladder over the trees adopted before.
    fn contribution_per_tree(&self, trees_before: u64) -> i128 {
        const FIRST_TREE: u64 = 1000;
        const TREES_PER_UNIT: u64 = 100;
        const BASE: i128 = 22_617 * 10_i128.pow(AMOUNT_SCALE);

        match &self.contribution_per_tree {
            Some(price) if self.has_binary_price => units_of_bytes(price),
            Some(price) => units_of_text(price),
            None => {
                let unit = trees_before.checked_sub(FIRST_TREE).map_or(0, |over| 1 + over / TREES_PER_UNIT);
                BASE * (1000 + 3 * i128::from(unit)) / 1000
            }
        }
    }
}

fn typed<T: for<'de> Deserialize<'de>>(row: Value) -> T {
    let text = row.to_string();
    serde_json::from_value(row).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn malformed(record: &CaptureRecord, expectation: &str) -> ! {
    panic!("{expectation}, but not this one: {record:?}")
}

/// The big-endian two's complement of an unscaled value of scale 10, in base64.
fn units_of_bytes(base64: &str) -> i128 {
    let bytes = STANDARD.decode(base64).unwrap_or_else(|error| panic!("{error} in {base64:?}"));
    let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
    assert!((1..=16).contains(&bytes.len()) && !is_negative, "{base64:?} is not a price");
    bytes.iter().fold(0, |high, byte| high << 8 | i128::from(*byte))
}

/// Plain digits with at most ten decimals.
fn units_of_text(text: &str) -> i128 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    assert!(decimals.len() <= AMOUNT_SCALE as usize, "{text:?} is not a price");
    let digits = format!("{whole}{decimals:0<10}");
    digits.parse().unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_read_the_same_as_bytes_and_as_text() {
        assert_eq!(units_of_bytes("AM2zToJEAQ=="), 226_170_000_000_001);
        assert_eq!(units_of_text("22617.0000000001"), 226_170_000_000_001);
        assert_eq!(units_of_text("22617.5"), 226_175_000_000_000);
        assert_eq!(units_of_text("22617"), 226_170_000_000_000);
    }
}
