//! Accounts: what the journal adds up to.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use super::client::{Range, Store};
use super::close::ClosedDates;
use super::key::{Key, Shard, system_partition};
use super::referral::TreeId;
use super::{Action, Item, StoreError, Table};
use crate::rules::{
    AccountSequence, Amount, AmountOverflow, BusinessDate, OrderId, SystemAccount, UnlockFacts,
};

/// The attribute prefix of what takes effect on a date: `pending#2026-02-10`.
pub(super) const PENDING_PREFIX: &str = "pending#";
/// The attribute prefix of the trees of own adoptions that a date's close counts: `trees#2026-02-10`.
pub(super) const PENDING_TREES_PREFIX: &str = "trees#";

/// A user's account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// From the account's own adoptions, all time.
    pub personal: Amount,
    /// From descendants' adoptions, by level, all time.
    pub team_level: Amount,
    /// From direct referrals' adoptions, by bonus tier, all time.
    pub team_bonus: Amount,
    /// Active as of the last close.
    pub effective: Amount,
    /// Posted since, by the date it takes effect on. Negative where corrected.
    pub pending: BTreeMap<BusinessDate, Amount>,
    /// What decides its unlocks.
    pub unlock: UnlockFacts,
}

/// A user's account as somebody who asks is told it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownAccount {
    /// The account.
    pub account: Account,
    /// Which dates are closed; [`Account::effective`] is as of the last of them.
    pub closed: Option<ClosedDates>,
}

/// What one posting transaction changes of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Added to [`Account::personal`].
    pub personal: Amount,
    /// Added to [`Account::team_level`].
    pub team_level: Amount,
    /// Added to [`Account::team_bonus`].
    pub team_bonus: Amount,
    /// Added to [`Account::pending`].
    pub pending: BTreeMap<BusinessDate, Amount>,
    /// Trees of own adoptions, by the date whose close counts them; negative where one is taken back.
    pub pending_trees: BTreeMap<BusinessDate, i64>,
    /// The unlock facts, if they changed.
    pub unlock: Option<UnlockFacts>,
}

impl Account {
    /// Everything posted, all time.
    pub fn total(&self) -> Result<Amount, AmountOverflow> {
        Amount::sum([self.personal, self.team_level, self.team_bonus])
    }

    /// Applies a change as the store will.
    pub fn apply(&mut self, change: &AccountChange) -> Result<(), AmountOverflow> {
        let personal = self.personal.checked_add(change.personal)?;
        let team_level = self.team_level.checked_add(change.team_level)?;
        let team_bonus = self.team_bonus.checked_add(change.team_bonus)?;
        Amount::sum([personal, team_level, team_bonus])?;
        for (date, amount) in &change.pending {
            let pending = self.pending.entry(*date).or_default();
            *pending = pending.checked_add(*amount)?;
        }
        (self.personal, self.team_level, self.team_bonus) = (personal, team_level, team_bonus);
        if let Some(unlock) = &change.unlock {
            self.unlock = unlock.clone();
        }
        Ok(())
    }

    /// Reads an account's item.
    pub fn from_item(item: &Item) -> Result<Self, StoreError> {
        let unlock = item.attributes().find(|(name, _)| *name == "unlock").map(|(_, value)| value.clone());
        let unlock = match unlock {
            None => UnlockFacts::default(),
            Some(value) => serde_dynamo::aws_sdk_dynamodb_1::from_attribute_value(value)
                .map_err(|_| item.corrupt("unlock"))?,
        };
        Ok(Self {
            personal: item.amount("personal")?,
            team_level: item.amount("team_level")?,
            team_bonus: item.amount("team_bonus")?,
            effective: item.amount("effective")?,
            pending: by_date(item, PENDING_PREFIX)?,
            unlock,
        })
    }
}

impl AccountChange {
    /// Adds a later change to this one.
    pub fn merge(&mut self, later: Self) -> Result<(), AmountOverflow> {
        self.personal = self.personal.checked_add(later.personal)?;
        self.team_level = self.team_level.checked_add(later.team_level)?;
        self.team_bonus = self.team_bonus.checked_add(later.team_bonus)?;
        for (date, amount) in later.pending {
            let pending = self.pending.entry(date).or_default();
            *pending = pending.checked_add(amount)?;
        }
        for (date, trees) in later.pending_trees {
            *self.pending_trees.entry(date).or_default() += trees;
        }
        self.unlock = later.unlock.or(self.unlock.take());
        Ok(())
    }

    /// Whether it changes nothing, as when two corrections cancel each other out.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        [self.personal, self.team_level, self.team_bonus]
            .iter()
            .chain(self.pending.values())
            .all(|amount| amount.is_zero())
            && self.pending_trees.values().all(|trees| *trees == 0)
            && self.unlock.is_none()
    }

    /// The write that makes this change, which must be one. Amounts are added, so that it never overwrites another's.
    #[must_use]
    pub fn write(&self, account: &AccountSequence) -> Action {
        let mut update = Action::update(Key::account(account));
        let totals =
            [("personal", self.personal), ("team_level", self.team_level), ("team_bonus", self.team_bonus)];
        for (name, amount) in totals {
            if !amount.is_zero() {
                update = update.add(name, amount);
            }
        }
        update = add_pending(update, &self.pending);
        for (date, trees) in &self.pending_trees {
            update = update.add(&format!("{PENDING_TREES_PREFIX}{date}"), trees);
        }
        if let Some(unlock) = &self.unlock {
            let value: AttributeValue = serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(unlock)
                .expect("unlock facts are numbers and a list of numbers");
            update = update.set("unlock", value);
        }
        update
    }
}

/// A system account's share of the trees of one shard. The account is the sum of its shares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemShare {
    /// Everything posted, all time.
    pub total: Amount,
    /// What users got by postings to these trees, all time, as far as it was noted with this share.
    ///
    /// A posting writes a share in any case, so that noting there what its users get costs no write.
    /// With which share makes no difference: only the sum over all of them means something.
    pub users: Amount,
    /// Active as of the last close.
    pub effective: Amount,
    /// Posted since, by the date it takes effect on. Negative where corrected.
    pub pending: BTreeMap<BusinessDate, Amount>,
}

/// What one posting transaction changes of a system account's share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemShareChange {
    /// Added to [`SystemShare::total`].
    pub total: Amount,
    /// Added to [`SystemShare::users`].
    pub users: Amount,
    /// Added to [`SystemShare::pending`].
    pub pending: BTreeMap<BusinessDate, Amount>,
}

impl SystemShareChange {
    /// Adds a later change to this one.
    pub fn merge(&mut self, later: &Self) -> Result<(), AmountOverflow> {
        self.total = self.total.checked_add(later.total)?;
        self.users = self.users.checked_add(later.users)?;
        for (date, amount) in &later.pending {
            let pending = self.pending.entry(*date).or_default();
            *pending = pending.checked_add(*amount)?;
        }
        Ok(())
    }

    /// The write that makes this change. It holds only if the share stays within what an amount can be.
    #[must_use]
    pub fn write(&self, shard: Shard, account: &SystemAccount) -> Action {
        let mut update = Action::update(Key::system(shard, account)).add("total", self.total);
        if !self.users.is_zero() {
            update = update.add("users", self.users);
        }
        for (name, amount) in [("total", self.total), ("users", self.users)] {
            if amount > Amount::ZERO {
                let room = Amount::MAX.checked_sub(amount).expect("no amount exceeds the largest");
                update = update.if_number_at_most(name, room);
            }
        }
        add_pending(update, &self.pending)
    }
}

impl SystemShare {
    /// Reads a share's item.
    pub fn from_item(item: &Item) -> Result<Self, StoreError> {
        Ok(Self {
            total: item.amount("total")?,
            users: item.amount("users")?,
            effective: item.amount("effective")?,
            pending: by_date(item, PENDING_PREFIX)?,
        })
    }
}

fn add_pending(mut update: Action, pending: &BTreeMap<BusinessDate, Amount>) -> Action {
    for (date, amount) in pending {
        if !amount.is_zero() {
            update = update.add(&format!("{PENDING_PREFIX}{date}"), *amount);
        }
    }
    update
}

/// The numbers of an item whose attributes are named by this prefix and a date.
pub(super) fn by_date<T: std::str::FromStr>(
    item: &Item,
    prefix: &str,
) -> Result<BTreeMap<BusinessDate, T>, StoreError> {
    let mut found = BTreeMap::new();
    for (name, _) in item.attributes() {
        if let Some(date) = name.strip_prefix(prefix) {
            found.insert(date.parse().map_err(|_| item.corrupt(name))?, item.number(name)?);
        }
    }
    Ok(found)
}

/// Where a referral tree's postings stand. Every posting to the tree moves it, so that of two that
/// looked at the same state only one takes effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeCursor {
    /// Counts the tree's postings; 0 if there is none.
    pub version: u64,
    /// The highest order ever posted.
    pub last_order: Option<OrderId>,
}

impl TreeCursor {
    /// The write that moves the cursor on. It holds only if nobody moved it since it was read.
    #[must_use]
    pub fn advance(self, tree: &TreeId, last_order: Option<OrderId>) -> Action {
        let update = Action::update(Key::tree(tree))
            .if_number_is("version", (self.version > 0).then_some(self.version))
            .set("version", AttributeValue::N((self.version + 1).to_string()));
        match last_order {
            Some(order) => update.set("last_order", order.into()),
            None => update,
        }
    }
}

impl Store {
    /// These users' accounts; those without an item are empty.
    pub async fn accounts(
        &self,
        accounts: impl IntoIterator<Item = AccountSequence>,
    ) -> Result<HashMap<AccountSequence, Account>, StoreError> {
        let mut found: HashMap<AccountSequence, Account> =
            accounts.into_iter().map(|account| (account, Account::default())).collect();
        for item in self.batch_get(found.keys().map(Key::account).collect::<Vec<_>>()).await? {
            let account = item.text("pk")?.strip_prefix("ACCOUNT#").and_then(|text| text.parse().ok());
            found.insert(account.ok_or_else(|| item.corrupt("pk"))?, Account::from_item(&item)?);
        }
        Ok(found)
    }

    /// A user's account if anything is known of it: a posting, a user row or a referral row; and which
    /// dates are closed. One read.
    pub async fn known_account(&self, account: &AccountSequence) -> Result<Option<KnownAccount>, StoreError> {
        let (own, closed) = (Key::account(account), Key::closed_dates());
        let keys = [own.clone(), closed.clone(), Key::user(account), Key::referral(account)];
        let mut known = KnownAccount::default();
        let mut is_known = false;
        for item in self.batch_get(keys).await? {
            let key = item.key()?;
            if key == closed {
                known.closed = Some(item.decode()?);
            } else if key == own {
                known.account = Account::from_item(&item)?;
                is_known = true;
            } else {
                // A referral's item may only say that something waits for the row.
                is_known |= item.has("version");
            }
        }
        Ok(is_known.then_some(known))
    }

    /// These trees' cursors; those without an item are at their beginning.
    pub async fn cursors(
        &self,
        trees: impl IntoIterator<Item = TreeId>,
    ) -> Result<HashMap<TreeId, TreeCursor>, StoreError> {
        let mut found: HashMap<TreeId, TreeCursor> =
            trees.into_iter().map(|tree| (tree, TreeCursor::default())).collect();
        for item in self.batch_get(found.keys().map(Key::tree).collect::<Vec<_>>()).await? {
            let tree = item.text("pk")?.strip_prefix("TREE#").and_then(|text| text.parse().ok());
            let tree = TreeId::below(tree.ok_or_else(|| item.corrupt("pk"))?);
            let last_order = item.number_if_present("last_order")?;
            found.insert(tree, TreeCursor { version: item.number("version")?, last_order });
        }
        Ok(found)
    }

    /// Every system account, as the sum of its shares.
    pub async fn system_accounts(&self) -> Result<BTreeMap<SystemAccount, SystemShare>, StoreError> {
        let queries = Shard::all().map(|shard| async move {
            self.query_all(Table::Accounts, &system_partition(shard), &Range::default()).await
        });
        let mut sums: BTreeMap<SystemAccount, SystemShare> = BTreeMap::new();
        for item in futures::future::try_join_all(queries).await?.iter().flatten() {
            let share = SystemShare::from_item(item)?;
            let sum = sums.entry(item.parse("sk")?).or_default();
            let overflow = |_| item.corrupt("total");
            sum.total = sum.total.checked_add(share.total).map_err(overflow)?;
            sum.users = sum.users.checked_add(share.users).map_err(overflow)?;
            sum.effective = sum.effective.checked_add(share.effective).map_err(overflow)?;
            for (date, amount) in share.pending {
                let pending = sum.pending.entry(date).or_default();
                *pending = pending.checked_add(amount).map_err(overflow)?;
            }
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_without_an_amount_are_a_change_and_trees_that_cancel_out_are_none() {
        let date = BusinessDate::new(2026, 1, 2).expect("a date");
        let change = |trees: i64| AccountChange {
            pending: BTreeMap::from([(date, Amount::ZERO)]),
            pending_trees: BTreeMap::from([(date, trees)]),
            ..AccountChange::default()
        };
        assert!(!change(-1).is_nothing());
        assert!(change(0).is_nothing());
    }
}
