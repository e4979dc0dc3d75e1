//! Folds a run of pages into everything that they concern in some shards, and writes it.
//!
//! Touches: `Ledger` (reads, writes).

use std::collections::{BTreeMap, BTreeSet};

use domain::heads::{AdoptionHead, Closes, Line, Node, SumKey, SumNode, lines_of, sum_path};
use domain::log::{Entry, Page, Position};
use domain::{AccountSequence, OrderId, Owner, Versions};
use store::dates::DateClose;
use store::fold::AccountFold;
use store::heads::{self, AccountHead, At, LinePage};
use store::lists::{self, HeldAdoption, Operation};
use store::{Engine, Item, Shard, StoreError, Write, Written, books, dates};

/// What some pages concern in some shards.
pub(crate) struct Run<'a> {
    pages: &'a [Page],
    shard_count: u32,
    accounts: BTreeMap<Owner, Vec<Touch<'a>>>,
    orders: BTreeMap<OrderId, Vec<(Position, i64, &'a Entry)>>,
    sums: BTreeMap<SumKey, Vec<(Position, &'a Entry)>>,
    children: BTreeSet<(&'a AccountSequence, &'a AccountSequence)>,
    operations: Vec<Operation>,
    closes: Vec<DateClose>,
}

/// What an entry does to an account.
enum Touch<'a> {
    Node(Position, &'a Entry),
    Line(Position, Line),
}

impl Touch<'_> {
    fn position(&self) -> Position {
        match self {
            Self::Node(position, _) | Self::Line(position, _) => *position,
        }
    }
}

impl<'a> Run<'a> {
    /// Sorts the entries of these pages by what they concern.
    pub(crate) fn over(
        pages: &'a [Page],
        shards: &BTreeSet<Shard>,
        shard_count: u32,
        versions: &Versions,
    ) -> Self {
        let mut run = Self {
            pages,
            shard_count,
            accounts: BTreeMap::new(),
            orders: BTreeMap::new(),
            sums: BTreeMap::new(),
            children: BTreeSet::new(),
            operations: Vec::new(),
            closes: pages.iter().filter_map(close_of).collect(),
        };
        let is_ours = |name: &str| shards.contains(&Shard::of(name, shard_count));
        for page in pages {
            for (index, entry) in (0_u32..).zip(&page.entries) {
                for account in Node::accounts_of(entry) {
                    if is_ours(account.as_str()) {
                        let touches = run.accounts.entry(Owner::User(account.clone())).or_default();
                        touches.push(Touch::Node(page.position, entry));
                    }
                }
                for (owner, line) in lines_of(entry, page.position, index, page.time_ms, versions) {
                    if is_ours(&owner.to_string()) {
                        run.accounts.entry(owner).or_default().push(Touch::Line(page.position, line));
                    }
                }
                if let Some(order) = AdoptionHead::order_of(entry)
                    && is_ours(&order.to_string())
                {
                    run.orders.entry(order).or_default().push((page.position, page.time_ms, entry));
                }
                if let Some(order) = SumNode::order_of(entry) {
                    for (key, _) in sum_path(order) {
                        if is_ours(&format!("{}#{}", key.0, key.1)) {
                            run.sums.entry(key).or_default().push((page.position, entry));
                        }
                    }
                }
                if let Entry::ReferralRow { account, row: Some(Some(referrer)), .. } = entry
                    && is_ours(referrer.as_str())
                {
                    run.children.insert((referrer, account));
                }
                if is_ours("OPERATIONS") {
                    run.operations.extend(operation(page, index, entry));
                }
            }
        }
        run
    }

    /// Writes everything but the heads of accounts that cannot be read. Returns how many heads of accounts were
    /// written; `None` where another projector has moved one of the heads, so that this run has to begin again.
    ///
    /// What can be repeated at will goes first, then the heads, then what follows from the heads. `closes` has every
    /// close up to the last page.
    pub(crate) async fn write(self, engine: &dyn Engine, closes: &Closes) -> Result<Option<u64>, StoreError> {
        let owners = self.accounts.keys().cloned().collect();
        let orders = self.orders.keys().copied().collect();
        let sums = self.sums.keys().copied().collect();
        let ((accounts, unreadable), adoptions, sum_nodes) = futures::try_join!(
            heads::accounts_and_unreadable(engine, owners),
            heads::adoptions(engine, orders),
            heads::sums(engine, sums)
        )?;
        let mut repeatable: Vec<Write> =
            self.children.iter().map(|(referrer, child)| heads::put_child(referrer, child)).collect();
        repeatable.extend(self.operations.iter().map(lists::put_operation));
        repeatable.extend(self.closes.iter().map(dates::put_close));
        let mut filled: BTreeMap<Owner, Vec<(u32, LinePage)>> = BTreeMap::new();
        let mut head_writes: Vec<Write> = Vec::new();
        for (owner, touches) in self.accounts {
            match unreadable.get(&owner) {
                None => {
                    if let (Owner::System(account), 0) = (&owner, accounts[&owner].position) {
                        repeatable.push(lists::put_system_account(account));
                    }
                    let (head, pages) = fold_account(&owner, &accounts[&owner], touches)?;
                    head_writes.extend(head);
                    filled.insert(owner, pages);
                }
                Some(item) => head_writes.extend(pass_over(&owner, item, &touches)),
            }
        }
        let account_writes = head_writes.len() as u64;
        for (owner, pages) in &filled {
            repeatable.extend(pages.iter().map(|(number, page)| heads::put_line_page(owner, *number, page)));
        }
        repeatable.extend(books::completed(engine, &filled, closes).await?);
        let folded =
            self.sums.into_iter().filter_map(|(key, entries)| fold_sum(key, &sum_nodes[&key], entries));
        head_writes.extend(folded);
        let mut held: Vec<Write> = Vec::new();
        for (order, entries) in self.orders {
            let At { head, position: before } = &adoptions[&order];
            let mut after = head.clone();
            let (mut position, mut time_ms) = (*before, 0);
            for (at, at_ms, entry) in &entries {
                time_ms = *at_ms;
                if at > before {
                    after.apply(order, entry);
                    position = *at;
                }
            }
            if position > *before {
                head_writes.push(heads::put_adoption(order, &after, position, *before));
            }
            let concerns_hold = |entry: &Entry| matches!(entry, Entry::Held(_) | Entry::HoldEnded(_));
            if entries.iter().any(|(_, _, entry)| concerns_hold(entry)) {
                let adoption = held_adoption(order, &after, time_ms);
                held.push(lists::put_held(order, adoption.as_ref(), position, time_ms, self.shard_count));
            }
        }
        // A head may only say that its lines were moved once the page of them is there.
        if !all_done(engine.write_many(repeatable).await)? || !all_done(engine.write_many(head_writes).await)?
        {
            return Ok(None);
        }
        for written in engine.write_many(held).await {
            let _ = written?;
        }
        tracing::debug!(pages = self.pages.len(), accounts = account_writes, "projected a run");
        Ok(Some(account_writes))
    }
}

/// Returns the write that moves a head which cannot be read past these pages. It stays as it is until an audit rebuilds
/// it from the log; no decision reads it before.
fn pass_over(owner: &Owner, item: &Item, touches: &[Touch<'_>]) -> Option<Write> {
    let key = &item.key;
    tracing::error!(account = %owner, %key, "the account cannot be read: rebuild it, contribution audit --repair");
    let last = touches.iter().map(Touch::position).max().filter(|last| *last > item.revision)?;
    Some(heads::move_unreadable(item.clone(), last))
}

fn held_adoption(order: OrderId, head: &AdoptionHead, since_ms: i64) -> Option<HeldAdoption> {
    match &head.state {
        domain::heads::AdoptionState::Held(reason) => {
            Some(HeldAdoption { order, reason: reason.clone(), since_ms })
        }
        _ => None,
    }
}

/// Folds what concerns an account into its head. Returns the head's write, and the pages of lines that it fills: they
/// follow from the lines alone, so that writing them twice writes the same.
fn fold_account(
    owner: &Owner,
    at: &At<AccountHead>,
    touches: Vec<Touch<'_>>,
) -> Result<(Option<Write>, Vec<(u32, LinePage)>), StoreError> {
    let mut fold = AccountFold::from(owner, at);
    for touch in touches {
        match touch {
            Touch::Node(position, entry) => fold.add_entry(position, entry),
            Touch::Line(_, line) => fold.add_line(line).map_err(|error| StoreError::Unreadable {
                key: Box::new(heads::account_key(owner)),
                message: error.to_string(),
            })?,
        }
    }
    let filled = fold.take_filled();
    let (head, position) = fold.head();
    let write = (position > at.position).then(|| heads::put_account(owner, head, position, at.position));
    Ok((write, filled))
}

/// Folds entries into a sum of trees. Returns its write, if anything is new.
fn fold_sum(key: SumKey, at: &At<SumNode>, entries: Vec<(Position, &Entry)>) -> Option<Write> {
    let mut node = at.head.clone();
    let mut last = at.position;
    for (position, entry) in entries.into_iter().filter(|(position, _)| *position > at.position) {
        node.apply(key, entry);
        last = position;
    }
    (last > at.position).then(|| heads::put_sum(key, &node, last, at.position))
}

fn close_of(page: &Page) -> Option<DateClose> {
    match page.entries.last() {
        Some(Entry::Close(terms)) => {
            Some(DateClose { date: terms.date, position: page.position, time_ms: page.time_ms })
        }
        _ => None,
    }
}

fn operation(page: &Page, index: u32, entry: &Entry) -> Option<Operation> {
    let Entry::Commanded { idempotency_key, by, reason, command, outcome } = entry else { return None };
    Some(Operation {
        position: page.position,
        index,
        time_ms: page.time_ms,
        idempotency_key: idempotency_key.clone(),
        by: by.clone(),
        reason: reason.clone(),
        command: command.clone(),
        outcome: outcome.clone(),
    })
}

/// Returns whether every write took effect.
fn all_done(written: Vec<Result<Written, StoreError>>) -> Result<bool, StoreError> {
    let mut all = true;
    for one in written {
        all &= matches!(one?, Written::Done);
    }
    Ok(all)
}
