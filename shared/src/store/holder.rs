//! Accounts as a close sees them: whoever holds something, users and system shares alike.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::account::{PENDING_PREFIX, PENDING_TREES_PREFIX, by_date};
use super::client::Store;
use super::key::{Key, Shard};
use super::{Action, Item, StoreError, Table};
use crate::rules::{
    AccountSequence, Activation, Amount, AmountOverflow, BusinessDate, Closing, LateAmount, SystemAccount,
    SystemAccountKind,
};

/// One item that holds amounts. Written as the account, or as `#<shard>#<system account>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A user's account.
    User(AccountSequence),
    /// A system account's share of the trees of one shard.
    System(Shard, SystemAccount),
}

impl Holder {
    /// The system account's kind, if it is one.
    #[must_use]
    pub fn system_kind(&self) -> Option<SystemAccountKind> {
        match self {
            Self::User(_) => None,
            Self::System(_, account) => Some(account.kind()),
        }
    }

    /// Where its amounts are.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::User(account) => Key::account(account),
            Self::System(shard, account) => Key::system(*shard, account),
        }
    }

    /// The holder whose item this is; `None` for items that hold nothing.
    fn of_item(item: &Item) -> Result<Option<Self>, StoreError> {
        let partition = item.text("pk")?;
        if let Some(account) = partition.strip_prefix("ACCOUNT#") {
            return account.parse().map(|account| Some(Self::User(account))).map_err(|_| item.corrupt("pk"));
        }
        if let Some(shard) = partition.strip_prefix("SYSTEM#") {
            let shard = shard.parse().ok().and_then(Shard::new).ok_or_else(|| item.corrupt("pk"))?;
            return Ok(Some(Self::System(shard, item.parse("sk")?)));
        }
        Ok(None)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(account) => account.fmt(formatter),
            Self::System(shard, account) => write!(formatter, "#{}#{account}", shard.number()),
        }
    }
}

impl FromStr for Holder {
    type Err = InvalidHolder;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let holder = match text.strip_prefix('#') {
            None => text.parse().ok().map(Self::User),
            Some(share) => share.split_once('#').and_then(|(shard, account)| {
                Some(Self::System(Shard::new(shard.parse().ok()?)?, account.parse().ok()?))
            }),
        };
        holder.ok_or_else(|| InvalidHolder { text: text.to_owned() })
    }
}

/// Text that names no holder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither an account nor a share of a system account")]
pub struct InvalidHolder {
    text: String,
}

/// What a holder has, as far as a close is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Whose it is.
    pub holder: Holder,
    /// Active as of the last close.
    pub effective: Amount,
    /// Posted since, by the date it takes effect on.
    pub pending: BTreeMap<BusinessDate, Amount>,
    /// The trees of its own adoptions as of the last close; `None` if no close ever counted any.
    pub trees: Option<i64>,
    /// The trees adopted since, by the date that counts them. Negative where an adoption was taken back.
    pub pending_trees: BTreeMap<BusinessDate, i64>,
}

impl Holding {
    fn from_item(item: &Item) -> Result<Option<Self>, StoreError> {
        let Some(holder) = Holder::of_item(item)? else { return Ok(None) };
        Ok(Some(Self {
            holder,
            effective: item.amount("effective")?,
            pending: by_date(item, PENDING_PREFIX)?,
            trees: item.number_if_present("trees")?,
            pending_trees: by_date(item, PENDING_TREES_PREFIX)?,
        }))
    }

    /// What a close of `date` can take of it in one transaction; `None` if there is nothing to take.
    #[must_use]
    pub fn due(&self, date: BusinessDate) -> Option<Due> {
        let due = Due {
            amounts: self.pending.range(..=date).take(Due::DATES_MAX).map(|(at, sum)| (*at, *sum)).collect(),
            trees: self
                .pending_trees
                .range(..=date)
                .take(Due::DATES_MAX)
                .map(|(at, sum)| (*at, *sum))
                .collect(),
        };
        (!due.amounts.is_empty() || !due.trees.is_empty()).then_some(due)
    }
}

/// What is due of a holding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Amounts, by the date they take effect on.
    pub amounts: BTreeMap<BusinessDate, Amount>,
    /// Trees, likewise.
    pub trees: BTreeMap<BusinessDate, i64>,
}

impl Due {
    /// How many dates one transaction takes: each may need an expiry and a correction of its own.
    const DATES_MAX: usize = 10;

    /// The trees that are due, of all dates.
    #[must_use]
    pub fn tree_count(&self) -> i64 {
        self.trees.values().sum()
    }
}

/// What a close takes of one holding.
#[derive(Debug, Clone)]
pub struct Taking {
    /// The holding as it was read.
    pub holding: Holding,
    /// What is taken of it.
    pub due: Due,
    /// What becomes of the amounts.
    pub activation: Activation,
}

impl Taking {
    /// The writes of this taking. They hold only if what is due is still what was read, so that of
    /// several attempts one takes effect, and no posting in between is lost.
    #[must_use]
    pub fn actions(&self, closing: Closing) -> Vec<Action> {
        let holder = &self.holding.holder;
        let mut update = Action::update(holder.key());
        if !self.activation.effective.is_zero() {
            update = update.add("effective", self.activation.effective);
        }
        for (date, amount) in &self.due.amounts {
            let name = format!("{PENDING_PREFIX}{date}");
            update = update.remove(&name).if_number_is(&name, Some(amount));
        }
        if !self.due.trees.is_empty() {
            // Whether the account becomes an adopter is decided on its trees.
            update = update.add("trees", self.due.tree_count()).if_number_is("trees", self.holding.trees);
        }
        for (date, count) in &self.due.trees {
            let name = format!("{PENDING_TREES_PREFIX}{date}");
            update = update.remove(&name).if_number_is(&name, Some(count));
        }
        let mut actions = vec![update];
        for (date, amount) in &self.activation.expiring {
            if !amount.is_zero() {
                actions.push(Action::update(Key::expiry(*date, holder)).add("amount", amount));
            }
        }
        for late in &self.activation.late {
            let LateAmount { effective_date, amount, first_date, last_date } = late;
            let text = |date: &BusinessDate| aws_sdk_dynamodb::types::AttributeValue::S(date.to_string());
            actions.push(
                Action::update(Key::late(closing.date, holder, *effective_date))
                    .add("amount", amount)
                    .set("effective_date", text(effective_date))
                    .set("first_date", text(first_date))
                    .set("last_date", text(last_date)),
            );
        }
        actions
    }

    /// The holding once this took effect.
    pub fn after(self) -> Result<Holding, AmountOverflow> {
        let Self { mut holding, due, activation } = self;
        holding.effective = holding.effective.checked_add(activation.effective)?;
        holding.pending.retain(|date, _| !due.amounts.contains_key(date));
        holding.pending_trees.retain(|date, _| !due.trees.contains_key(date));
        if !due.trees.is_empty() {
            holding.trees = Some(holding.trees.unwrap_or(0) + due.tree_count());
        }
        Ok(holding)
    }
}

impl Store {
    /// A page of all holdings, or of one of `segments` parts of them, in no useful order; and where
    /// the next page starts.
    pub async fn holdings_page(
        &self,
        segment: (u32, u32),
        start: Option<Key>,
    ) -> Result<(Vec<Holding>, Option<Key>), StoreError> {
        let (items, next) = self.scan(Table::Accounts, segment, start).await?;
        let holdings = items.iter().filter_map(|item| Holding::from_item(item).transpose());
        Ok((holdings.collect::<Result<_, _>>()?, next))
    }

    /// What these holders have now.
    pub async fn holdings(&self, holders: &[Holder]) -> Result<Vec<Holding>, StoreError> {
        let keys: Vec<Key> = holders.iter().map(Holder::key).collect();
        let items = self.batch_get(keys).await?;
        items.iter().filter_map(|item| Holding::from_item(item).transpose()).collect()
    }

    /// The date the earliest posting takes effect on that no close has taken; `None` if there is none.
    ///
    /// Every adoption has a leg for a system account, so that these tell.
    pub async fn earliest_pending_date(&self) -> Result<Option<BusinessDate>, StoreError> {
        let shares = self.system_accounts().await?;
        Ok(shares.values().filter_map(|share| share.pending.keys().next().copied()).min())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_read_back_as_written() {
        for text in ["D25122700018", "#0#OPERATION", "#15#CITY:430100"] {
            let holder: Holder = text.parse().expect("a holder");
            assert_eq!(holder.to_string(), text);
        }
        for text in ["", "#", "#16#OPERATION", "#1#D25122700018", "OPERATION"] {
            assert!(text.parse::<Holder>().is_err(), "{text:?}");
        }
    }
}
