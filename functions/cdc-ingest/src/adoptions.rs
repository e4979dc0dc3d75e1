//! Adoptions: the newest version of each row is kept, and put on the list it belongs on.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger::cdc::{AdoptionChange, AdoptionRow};
use ledger::rules::{OrderId, Policy};
use ledger::store::{Action, AdoptionRecord, HoldReason, RowVersion, Stage, Store, StoreError};

use crate::outcome::Outcome;
use crate::rows::Table;

/// The adoptions' table.
pub(crate) struct Adoptions<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) now: DateTime<Utc>,
}

impl Table for Adoptions<'_> {
    type Key = OrderId;
    type Change = AdoptionChange;
    type Record = AdoptionRecord;

    fn key(change: &AdoptionChange) -> &OrderId {
        match change {
            AdoptionChange::Upsert(row) => &row.order,
            AdoptionChange::Delete { order } => order,
        }
    }

    async fn load(
        &self,
        store: &Store,
        keys: Vec<OrderId>,
    ) -> Result<HashMap<OrderId, AdoptionRecord>, StoreError> {
        store.adoptions(keys).await
    }

    fn fold(
        &self,
        before: Option<&AdoptionRecord>,
        version: &RowVersion,
        change: &AdoptionChange,
    ) -> Result<AdoptionRecord, Outcome> {
        if before.is_some_and(|before| !version.is_newer_than(&before.version)) {
            return Err(Outcome::Duplicated);
        }
        let (row, deleted) = match change {
            AdoptionChange::Upsert(row) => (Some(accepted(row.clone(), before, self.policy)?), false),
            // What was distributed is reversed by what the row was, so a deleted row is kept.
            AdoptionChange::Delete { .. } => (before.and_then(|before| before.row.clone()), true),
        };
        let mut after = AdoptionRecord {
            order: *Self::key(change),
            revision: before.map_or(0, |before| before.revision),
            version: version.clone(),
            row,
            deleted,
            stage: Stage::Removed,
            released: before.is_some_and(|before| before.released),
            counted_trees: before.map_or(0, |before| before.counted_trees),
        };
        after.stage = self.next_stage(before, &after);
        Ok(after)
    }

    fn write(
        &self,
        before: Option<&AdoptionRecord>,
        after: &AdoptionRecord,
    ) -> Result<Vec<Action>, StoreError> {
        after.replace(before, self.now)
    }
}

impl Adoptions<'_> {
    /// The list an adoption belongs on after a change.
    ///
    /// Everything that may concern the ledger or the network's number of trees goes through the
    /// sequencer, so that this has to know nothing of either.
    fn next_stage(&self, before: Option<&AdoptionRecord>, after: &AdoptionRecord) -> Stage {
        // As it went through the sequencer, not by its status: which of them take part may have been
        // configured differently then.
        let took_part = before.is_some_and(|before| before.counted_trees > 0);
        let is_at = |stage: &Stage| before.is_some_and(|before| before.stage == *stage);
        if after.is_distributable(self.policy) {
            // What is held is looked at again: the account or the price that held it may be another now.
            let stays = took_part && is_at(&Stage::Released) && before.and_then(trees) == trees(after);
            return if stays { Stage::Released } else { Stage::Staged };
        }
        match (took_part || is_at(&Stage::Staged), after.deleted) {
            (true, _) => Stage::Staged,
            (false, true) => Stage::Removed,
            (false, false) => Stage::Held(HoldReason::Status),
        }
    }
}

fn trees(record: &AdoptionRecord) -> Option<u32> {
    record.row.as_ref().map(|row| row.tree_count.get())
}

/// The row as it may be stored, or why it may not.
fn accepted(
    mut row: AdoptionRow,
    before: Option<&AdoptionRecord>,
    policy: &Policy,
) -> Result<AdoptionRow, Outcome> {
    if let Some(per_tree) = row.contribution_per_tree
        && per_tree.times(row.tree_count.get()).is_err()
    {
        return Err(Outcome::refused(
            "AMOUNT_OVERFLOW",
            "tree_count times contribution_per_tree needs more than 18 integer digits; correct the order at the source",
        ));
    }
    let Some(distributed) = before.filter(|before| before.released).and_then(|before| before.row.as_ref())
    else {
        return Ok(row);
    };
    if !policy.is_distributable(row.status.as_str()) {
        // A cancellation must not be lost over what else changed with it: what was distributed is reversed as
        // it was. Whoever wants it to take part again is asked then for what it had.
        return Ok(AdoptionRow { status: row.status, ..distributed.clone() });
    }
    // A price that the rules derived stays; the source does not know it.
    row.contribution_per_tree = row.contribution_per_tree.or(distributed.contribution_per_tree);
    let changed = [
        ("account", row.account != distributed.account),
        ("tree count", row.tree_count != distributed.tree_count),
        ("contribution per tree", row.contribution_per_tree != distributed.contribution_per_tree),
        ("adoption date", row.adoption_date != distributed.adoption_date),
        ("province", row.province != distributed.province),
        ("city", row.city != distributed.city),
    ];
    let names: Vec<&str> = changed.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
    if names.is_empty() {
        return Ok(row);
    }
    Err(Outcome::refused(
        "DISTRIBUTED_ADOPTION_CHANGED",
        format!(
            "the {} of an adoption that was distributed changed; cancel it and adopt again under a new order instead",
            names.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use ledger::rules::AccountSequence;
    use serde_json::json;

    use super::*;

    fn record(status: &str, stage: Stage, counted_trees: u32) -> AdoptionRecord {
        let version = json!({"l": 1, "s": "source", "t": "orders", "p": 0, "o": 1});
        let row = json!({
            "order": 1, "account": "D25122700001", "tree_count": 2, "contribution_per_tree": "22617.0000000000",
            "adoption_date": "2026-01-10", "status": status,
        });
        AdoptionRecord {
            order: "1".parse().expect("an order"),
            revision: 2,
            version: serde_json::from_value(version).expect("a version"),
            row: serde_json::from_value(row).expect("a row"),
            deleted: false,
            released: stage == Stage::Released,
            stage,
            counted_trees,
        }
    }

    fn account(text: &str) -> AccountSequence {
        text.parse().expect("an account")
    }

    /// What becomes of a record when its row comes again, changed like this.
    fn after(
        before: &AdoptionRecord,
        statuses: &[&str],
        change: impl FnOnce(&mut AdoptionRow),
    ) -> Result<AdoptionRecord, Outcome> {
        let policy = json!({ "distributable_statuses": statuses });
        let policy: Policy = serde_json::from_value(policy).expect("a policy");
        let adoptions = Adoptions { policy: &policy, now: DateTime::UNIX_EPOCH };
        let version = RowVersion { lsn: Some(2), ..before.version.clone() };
        let mut row = before.row.clone().expect("a row");
        change(&mut row);
        adoptions.fold(Some(before), &version, &AdoptionChange::Upsert(row))
    }

    #[test]
    fn a_touched_row_goes_through_the_sequence_again_where_other_statuses_take_part_than_did() {
        let touched = |before: &AdoptionRecord, statuses: &[&str]| {
            after(before, statuses, |_| ()).expect("a row").stage
        };
        let taking_part = record("PAID", Stage::Released, 2);
        assert_eq!(touched(&taking_part, &["PAID", "ACTIVE"]), Stage::Released);
        assert_eq!(touched(&taking_part, &["ACTIVE"]), Stage::Staged, "it is to be reversed");
        let not_taking_part = record("CREATED", Stage::Held(HoldReason::Status), 0);
        assert_eq!(touched(&not_taking_part, &["PAID"]), Stage::Held(HoldReason::Status));
        assert_eq!(touched(&not_taking_part, &["PAID", "CREATED"]), Stage::Staged, "it is to be distributed");
    }

    #[test]
    fn what_is_held_goes_through_the_sequence_again_when_its_row_changes() {
        let waiting = HoldReason::NoReferral(account("D25122700001"));
        for reason in [waiting, HoldReason::AmountOverflow] {
            let held = record("PAID", Stage::Held(reason), 2);
            let corrected = after(&held, &["PAID"], |row| row.account = account("D25122700002"));
            assert_eq!(corrected.expect("nothing of it was distributed").stage, Stage::Staged);
        }
    }

    #[test]
    fn a_cancellation_counts_whatever_else_changes_with_it() {
        let distributed = record("PAID", Stage::Released, 2);
        let cancel = |row: &mut AdoptionRow| {
            row.status = "CANCELLED".parse().expect("a status");
            row.account = account("D25122700002");
            row.province = Some("110000".parse().expect("a region"));
        };
        let cancelled = after(&distributed, &["PAID"], cancel).expect("it is not refused");
        assert_eq!(cancelled.stage, Stage::Staged, "it is to be reversed");
        let row = cancelled.row.expect("a row");
        assert_eq!((row.account, row.province), (account("D25122700001"), None), "as it was distributed");
        let moved = after(&distributed, &["PAID"], |row| row.account = account("D25122700002"));
        assert!(
            matches!(&moved, Err(Outcome::Refused { reason, .. }) if reason == "DISTRIBUTED_ADOPTION_CHANGED")
        );
    }
}
