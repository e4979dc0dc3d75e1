//! Section 6: which adoptions count.

use oracle::HoldReason::{InvalidTerms, NoReferral, NotYet, Status};
use oracle::rows::{AdoptionRow, Term};
use oracle::{HoldReason, Policy};

use super::source::{Source, amount, date, order, order_id};

/// Returns what holds an order of the root A, if anything does.
fn reason(row: AdoptionRow) -> Option<HoldReason> {
    Source::chain(&["A"]).adoption(row).held().first().map(|(_, reason)| *reason)
}

#[test]
fn only_the_distributable_statuses_count_and_blanks_at_their_end_mean_nothing() {
    let of = |status: &str| reason(AdoptionRow { status: status.to_owned(), ..order(1, "A") });
    for status in ["MINING_ENABLED", "CONFIRMED", "PAID", "ACTIVE", "PAID   "] {
        assert_eq!(of(status), None, "{status:?}");
    }
    for status in ["CANCELLED", "", "   ", "paid", " PAID", "PAID.", "REFUNDED"] {
        assert_eq!(of(status), Some(Status), "{status:?}");
    }
}

#[test]
fn terms_that_are_missing_or_unreadable_are_invalid() {
    let row = order(1, "A");
    assert_eq!(reason(AdoptionRow { account: Term::Missing, ..row.clone() }), Some(InvalidTerms));
    assert_eq!(
        reason(AdoptionRow { account: Term::Given("   ".to_owned()), ..row.clone() }),
        Some(InvalidTerms)
    );
    assert_eq!(reason(AdoptionRow { account: Term::Unreadable, ..row.clone() }), Some(InvalidTerms));
    assert_eq!(reason(AdoptionRow { trees: Term::Missing, ..row.clone() }), Some(InvalidTerms));
    assert_eq!(reason(AdoptionRow { trees: Term::Unreadable, ..row.clone() }), Some(InvalidTerms));
    assert_eq!(reason(AdoptionRow { price: Term::Unreadable, ..row.clone() }), Some(InvalidTerms));
    assert_eq!(reason(AdoptionRow { adoption_date: Term::Unreadable, ..row.clone() }), Some(InvalidTerms));
    assert_eq!(reason(AdoptionRow { adoption_date: Term::Missing, ..row.clone() }), Some(InvalidTerms));
    assert_eq!(reason(AdoptionRow { price: Term::Missing, ..row }), None, "the ladder has one");
}

#[test]
fn a_missing_date_comes_from_the_creation_and_an_unreadable_one_does_not() {
    let created = AdoptionRow { created_on: Term::Given(date("2026-01-07")), ..order(1, "A") };
    let unreadable = AdoptionRow { adoption_date: Term::Unreadable, ..created.clone() };
    assert_eq!(reason(unreadable), Some(InvalidTerms));
    let missing = AdoptionRow { adoption_date: Term::Missing, ..created };
    let judgement = Source::chain(&["A"]).adoption(missing).judged();
    let distribution = judgement.distribution(order_id(1)).expect("posted");
    assert_eq!(distribution.effective_date, date("2026-01-08"));
}

#[test]
fn an_adoption_outside_a_bound_is_held_and_one_on_the_bound_is_not() {
    let trees = |trees| reason(AdoptionRow { trees: Term::Given(trees), ..order(1, "A") });
    assert_eq!([trees(1), trees(1_000_000)], [None, None]);
    assert_eq!([trees(0), trees(1_000_001), trees(-1)], [Some(InvalidTerms); 3]);

    let price = |price| reason(AdoptionRow { price: Term::Given(amount(price)), ..order(1, "A") });
    assert_eq!([price("0.0000000001"), price("1000000000")], [None, None]);
    assert_eq!([price("0"), price("1000000000.0000000001"), price("-100")], [Some(InvalidTerms); 3]);
    assert_eq!(price("0.00000000009"), Some(InvalidTerms), "rounded down it is nothing");

    let on = |day| reason(AdoptionRow { adoption_date: Term::Given(date(day)), ..order(1, "A") });
    assert_eq!([on("2020-01-01"), on("2019-12-31")], [None, Some(InvalidTerms)]);
}

#[test]
fn a_total_of_nineteen_integer_digits_is_invalid() {
    let mut policy = Policy::default();
    policy.bounds.price_max = amount("10000000000000");
    let of = |price: &str| {
        let row =
            AdoptionRow { trees: Term::Given(1_000_000), price: Term::Given(amount(price)), ..order(1, "A") };
        Source::chain(&["A"]).policy(policy.clone()).adoption(row).held()
    };
    assert_eq!(of("999999999999.9999999999"), []);
    assert_eq!(of("1000000000000"), [(1, InvalidTerms)]);
}

#[test]
fn an_order_dated_later_than_tomorrow_waits_for_its_date() {
    let on = |day| reason(AdoptionRow { adoption_date: Term::Given(date(day)), ..order(1, "A") });
    assert_eq!([on("2026-02-10"), on("2026-02-11")], [None, None], "today and tomorrow");
    assert_eq!(on("2026-02-12"), Some(NotYet));
    let mut source = Source::chain(&["A"])
        .adoption(AdoptionRow { adoption_date: Term::Given(date("2026-02-12")), ..order(1, "A") });
    source.inputs.today = date("2026-02-11");
    assert_eq!(source.held(), []);
}

#[test]
fn the_reasons_are_looked_at_in_the_order_of_the_rules() {
    let everything = AdoptionRow {
        status: "CANCELLED".to_owned(),
        trees: Term::Given(0),
        price: Term::Given(amount("-1")),
        adoption_date: Term::Given(date("2026-03-01")),
        ..order(1, "Z")
    };
    assert_eq!(reason(everything.clone()), Some(Status));
    let paid = AdoptionRow { status: "PAID".to_owned(), ..everything };
    assert_eq!(reason(paid.clone()), Some(InvalidTerms));
    let valid = AdoptionRow { trees: Term::Given(1), price: Term::Given(amount("1")), ..paid };
    assert_eq!(reason(valid.clone()), Some(NotYet));
    let begun = AdoptionRow { adoption_date: Term::Given(date("2026-02-01")), ..valid };
    assert_eq!(reason(begun), Some(NoReferral));
}

#[test]
fn the_adopter_and_fifteen_ancestors_need_a_row_and_a_sixteenth_does_not() {
    // A01 was referred by A00, of which nothing is known, A02 by A01, and so on.
    let name = |number: usize| format!("A{number:02}");
    let mut source = Source::new();
    for number in 1..=16 {
        source = source.account(&name(number), Some(&name(number - 1)));
    }
    let source = source.orders(&[(1, "A14"), (2, "A15"), (3, "A16"), (4, "Z")]);
    assert_eq!(source.held(), [(1, NoReferral), (2, NoReferral), (4, NoReferral)]);
    let judgement = source.judged();
    let legs = judgement.distribution(order_id(3)).expect("posted").legs;
    assert_eq!(legs[18].would_be.as_deref(), Some("A01"), "level 15");
    assert_eq!(judgement.accounts()["A01"].team.trees[14], 1);
    assert!(!judgement.accounts().contains_key("A00"));
}

#[test]
fn a_deleted_referral_row_is_a_missing_one_and_a_user_row_decides_nothing() {
    let source = Source::chain(&["A", "B", "C"]).orders(&[(1, "A"), (2, "B"), (3, "C")]);
    assert_eq!(source.clone().without_referral("B").held(), [(2, NoReferral), (3, NoReferral)]);
    let mut source = source;
    source.inputs.tables.users.clear();
    assert_eq!(source.held(), []);
    assert!(source.judged().golden(date("2026-02-10"))["talent"].as_object().expect("an object").is_empty());
}

#[test]
fn a_held_adoption_unlocks_nothing() {
    let cancelled = AdoptionRow { status: "CANCELLED".to_owned(), ..order(1, "A") };
    let judgement = Source::chain(&["A", "B"]).adoption(cancelled).orders(&[(2, "B")]).judged();
    let account = &judgement.accounts()["A"];
    assert_eq!(account.first_adoption, None);
    assert_eq!(account.direct_adoptions, [order_id(2)]);
    assert_eq!((account.unlocked_level_depth, account.unlocked_bonus_tiers), (0, 0));
}

#[test]
fn blanks_at_the_end_of_accounts_mean_nothing_and_case_matters() {
    let source = Source::new().account("A  ", None).account("B", Some("A    ")).account("a", None);
    let judgement = source.orders(&[(1, "A "), (2, "B"), (3, "a")]).judged();
    let accounts: Vec<String> = judgement.accounts().keys().map(ToString::to_string).collect();
    assert_eq!(accounts, ["A", "B", "a"]);
    assert_eq!(judgement.accounts()["A"].direct_adoptions, [order_id(2)]);
}
