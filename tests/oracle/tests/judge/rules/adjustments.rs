//! Section 11: amounts moved by hand.

use oracle::{Adjustment, Amount};

use super::source::{Source, amount, date};

fn adjustment(from: &str, to: &str, moved: &str, effective: &str, expire: Option<&str>) -> Adjustment {
    Adjustment {
        from: from.to_owned(),
        to: to.to_owned(),
        amount: amount(moved),
        effective_date: date(effective),
        expire_date: expire.map(date),
    }
}

#[test]
fn an_adjustment_moves_an_amount_and_leaves_the_whole_as_it_is() {
    let mut source = Source::chain(&["A", "B"]).orders(&[(1, "A"), (2, "B")]);
    source.inputs.adjustments = vec![adjustment("A", "B", "20.5", "2026-01-20", Some("2026-02-20"))];
    let judgement = source.judged();
    let accounts = judgement.accounts();
    // A: 70 of its own, 0.5 and 2.5 of B's order.
    assert_eq!((accounts["A"].adjusted, accounts["A"].total()), (amount("-20.5"), amount("52.5")));
    assert_eq!((accounts["B"].adjusted, accounts["B"].total()), (amount("20.5"), amount("90.5")));
    let users: Amount = accounts.values().map(oracle::Account::total).sum();
    let system: Amount = judgement.system_accounts().values().map(|account| account.balance).sum();
    assert_eq!(users + system, judgement.distributed_total());
}

#[test]
fn both_sides_of_an_adjustment_have_its_dates_although_headquarters_never_expires() {
    let mut source = Source::chain(&["A"]).orders(&[(1, "A")]);
    source.inputs.adjustments = vec![adjustment("HEADQUARTERS", "A", "5", "2026-01-20", Some("2026-02-20"))];
    let judgement = source.judged();
    let of = |day, account: &str| judgement.effective_on(date(day))[account];
    assert_eq!([of("2026-01-19", "A"), of("2026-01-19", "HEADQUARTERS")], [amount("70"), amount("15")]);
    assert_eq!([of("2026-01-20", "A"), of("2026-01-20", "HEADQUARTERS")], [amount("75"), amount("10")]);
    assert_eq!([of("2026-02-20", "A"), of("2026-02-20", "HEADQUARTERS")], [amount("70"), amount("15")]);
    let headquarters = judgement.system_accounts()["HEADQUARTERS"];
    assert_eq!((headquarters.balance, headquarters.adjusted), (amount("10"), amount("-5")));
}

#[test]
fn regions_are_parties_and_an_account_without_rows_is_listed() {
    let mut source = Source::chain(&["A"]).orders(&[(1, "A")]);
    source.inputs.adjustments = vec![
        adjustment("PROVINCE", "PROVINCE:44", "1", "2026-01-20", None),
        adjustment("A", "new", "3", "2026-01-20", None),
    ];
    let judgement = source.judged();
    assert_eq!(judgement.system_accounts()["PROVINCE"].balance, amount("0"));
    assert_eq!(judgement.system_accounts()["PROVINCE:44"].balance, amount("1"));
    assert_eq!(judgement.accounts()["new"].total(), amount("3"));
    let full = judgement.full(date("2026-02-10"));
    assert_eq!(full["adjusted"]["PROVINCE:44"], "1.0000000000");
    assert_eq!(full["accounts"]["A"]["total"], "67.0000000000");
}
