//! Section 6: several live rows with one business key.

use oracle::HoldReason::Status;
use oracle::rows::{AdoptionRow, PrimaryKey, Table, Term};
use oracle::{Judgement, Shadowed};

use super::source::{Source, allocated, amount, order, order_id};

fn keyed(key: PrimaryKey, trees: i64) -> AdoptionRow {
    AdoptionRow { key, trees: Term::Given(trees), ..order(1, "A") }
}

fn trees(judgement: &Judgement) -> u64 {
    judgement.distribution(order_id(1)).expect("posted").trees
}

#[test]
fn the_greatest_key_counts_numbers_as_numbers_whatever_comes_first() {
    let source = Source::chain(&["A"]);
    let (nine, ten, two) = (PrimaryKey::number(9), PrimaryKey::number(10), PrimaryKey::number(2));
    let rows = [keyed(nine.clone(), 9), keyed(ten.clone(), 10), keyed(two.clone(), 2)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let source = order.iter().fold(source.clone(), |source, index| source.adoption(rows[*index].clone()));
        let judgement = source.judged();
        assert_eq!(trees(&judgement), 10);
        let shadowed =
            |key: &PrimaryKey| Shadowed { table: Table::Adoptions, name: "1".to_owned(), key: key.clone() };
        assert_eq!(judgement.shadowed, [shadowed(&two), shadowed(&nine)]);
    }
}

#[test]
fn keys_that_are_text_compare_as_text() {
    let judgement = Source::chain(&["A"])
        .adoption(keyed(PrimaryKey::text("bbbb-9"), 9))
        .adoption(keyed(PrimaryKey::text("bbbb-10"), 10))
        .judged();
    assert_eq!(trees(&judgement), 9);
}

#[test]
fn the_row_that_counts_may_be_one_that_is_held() {
    let cancelled = AdoptionRow { status: "CANCELLED".to_owned(), ..keyed(PrimaryKey::number(2), 2) };
    let source = Source::chain(&["A"]).adoption(keyed(PrimaryKey::number(1), 1)).adoption(cancelled);
    assert_eq!(source.held(), [(1, Status)]);
    assert_eq!(source.judged().distributed_total(), amount("0"));
}

#[test]
fn a_shadowed_row_comes_into_force_when_the_other_goes() {
    let mut source = Source::chain(&["A"])
        .adoption(keyed(PrimaryKey::number(1), 1))
        .adoption(keyed(PrimaryKey::number(2), 2));
    assert_eq!(trees(&source.judged()), 2);
    source.inputs.tables.adoptions.pop();
    let judgement = source.judged();
    assert_eq!(trees(&judgement), 1);
    assert!(judgement.shadowed.is_empty());
}

#[test]
fn of_two_referrals_of_an_account_the_later_key_decides_its_upline() {
    let source = Source::new().account("A", None).account("B", None).account("C", Some("A")).orders(&[
        (1, "A"),
        (2, "B"),
        (3, "C"),
    ]);
    assert_eq!(allocated(&source.judged(), 3), ["L1 A", "B1 A"]);
    let judgement = source.referral("C  ", Some("B")).judged();
    assert_eq!(allocated(&judgement, 3), ["L1 B", "B1 B"]);
    assert_eq!(judgement.talents()["A"].direct_count, 0);
    assert_eq!(judgement.shadowed.len(), 1);
    assert_eq!((judgement.shadowed[0].table, judgement.shadowed[0].name.as_str()), (Table::Referrals, "C"));
}

#[test]
fn an_account_that_registered_again_is_listed_and_counts_once() {
    let mut source = Source::chain(&["A"]).orders(&[(1, "A")]);
    let mut again = source.inputs.tables.users[0].clone();
    again.key = PrimaryKey::number(99);
    source.inputs.tables.users.push(again);
    let judgement = source.judged();
    assert_eq!(judgement.accounts().len(), 1);
    assert_eq!(judgement.shadowed[0].table, Table::Users);
    assert_eq!(judgement.shadowed[0].key, PrimaryKey::number(1));
}
