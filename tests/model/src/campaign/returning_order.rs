//! An order that is paid and cancelled again and again, at the end of some histories' sources.
//!
//! What an invented history does to its orders seldom cancels itself out. Here it does within a second or two: a function that
//! stood still with the first half of it comes back to sums that look as it read them.

use chrono::NaiveDate;
use oracle::Amount;
use oracle::generate::{Change, History, Row, Transaction};
use oracle::rows::{AdoptionRow, OrderId, PrimaryKey, ReferralRow, Term, UserRow};

use super::source::reduced;

/// In one history of so many there is such an order.
const ONE_OF: u64 = 12;
/// How often it is paid.
const PAID_TIMES: usize = 8;
/// Its key and number, which are not invented otherwise.
const KEY: u32 = 2_000_000;
const ACCOUNT: &str = "D200000000";
/// The situation it is.
pub(super) const SITUATION: &str = "an order was paid and cancelled again and again";

/// Returns whether the history of this seed has such an order.
pub(super) fn is_in(seed: u64) -> bool {
    seed % ONE_OF == 4
}

/// Returns the history with the order's transactions after its own.
pub(super) fn added_to(history: History, today: NaiveDate) -> History {
    let key = PrimaryKey::number(i64::from(KEY));
    let user = UserRow { key: key.clone(), account: ACCOUNT.to_owned() };
    let referral = ReferralRow { key, account: ACCOUNT.to_owned(), referrer: None };
    let registered = [Change::Insert(Row::User(user)), Change::Insert(Row::Referral(referral))];
    let paid = || order("PAID", today);
    let cancelled = || order("CANCELLED", today);
    let first = registered.into_iter().chain([Change::Insert(paid())]).collect();
    let mut transactions = history.transactions;
    transactions.push(Transaction { changes: first });
    for _ in 1..PAID_TIMES {
        for (before, after) in [(paid(), cancelled()), (cancelled(), paid())] {
            transactions.push(Transaction { changes: vec![Change::Update { before, after }] });
        }
    }
    let all: Vec<usize> = (0..transactions.len()).collect();
    reduced(&History { transactions, ..history }, &all)
}

fn order(status: &str, today: NaiveDate) -> Row {
    Row::Adoption(AdoptionRow {
        key: PrimaryKey::number(i64::from(KEY)),
        order_id: OrderId::new(u64::from(KEY)).expect("above zero"),
        account: Term::Given(ACCOUNT.to_owned()),
        trees: Term::Given(1),
        price: Term::Given(Amount::from_units(226_170_000_000_000)),
        adoption_date: Term::Given(today),
        created_on: Term::Missing,
        status: status.to_owned(),
        province: None,
        city: None,
    })
}

#[cfg(test)]
mod tests {
    use oracle::generate::{Plan, history};

    use super::*;

    #[test]
    fn the_order_is_changed_in_transactions_of_its_own_and_is_paid_at_the_end() {
        let plan = Plan::small(4);
        let plain = history(&plan).transactions.len();
        let history = added_to(history(&plan), plan.today);
        assert_eq!(history.transactions.len(), plain + 2 * PAID_TIMES - 1);
        let last = history.tables.adoptions.iter().find(|row| row.order_id.get() == u64::from(KEY));
        assert_eq!(last.map(|row| row.status.as_str()), Some("PAID"));
    }
}
