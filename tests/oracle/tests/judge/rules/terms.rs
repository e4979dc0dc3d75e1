//! Section 7: the life of a contribution.

use oracle::rows::{AdoptionRow, Term};
use oracle::{Inputs, Judgement};

use super::source::{Source, amount, date, order, order_id};

fn adopted_on(day: &str) -> Judgement {
    let source = Source::chain(&["A"])
        .adoption(AdoptionRow { adoption_date: Term::Given(date(day)), ..order(1, "A") });
    let inputs = Inputs { today: date("2030-01-01"), ..source.inputs };
    Judgement::of(&inputs)
}

fn term_of(day: &str) -> (String, String) {
    let distribution = adopted_on(day).distribution(order_id(1)).expect("posted");
    (distribution.effective_date.to_string(), distribution.expire_date.to_string())
}

#[test]
fn a_contribution_counts_from_the_day_after_for_two_calendar_years() {
    let term = |effective: &str, expire: &str| (effective.to_owned(), expire.to_owned());
    assert_eq!(term_of("2026-01-05"), term("2026-01-06", "2028-01-06"));
    assert_eq!(term_of("2025-12-31"), term("2026-01-01", "2028-01-01"));
    assert_eq!(term_of("2024-02-28"), term("2024-02-29", "2026-02-28"), "29 February becomes 28 February");
    assert_eq!(term_of("2024-02-27"), term("2024-02-28", "2026-02-28"));
    assert_eq!(term_of("2024-02-29"), term("2024-03-01", "2026-03-01"));
    assert_eq!(term_of("2022-02-27"), term("2022-02-28", "2024-02-28"), "28 February stays");
}

#[test]
fn it_is_active_from_its_effective_date_until_the_day_before_it_expires() {
    let judgement = adopted_on("2026-01-05");
    let of = |day: &str| judgement.effective_on(date(day)).get("A").copied().unwrap_or_default();
    assert_eq!(of("2026-01-05"), amount("0"));
    assert_eq!(of("2026-01-06"), amount("70"));
    assert_eq!(of("2028-01-05"), amount("70"));
    assert_eq!(of("2028-01-06"), amount("0"));
}

#[test]
fn headquarters_contributions_begin_and_never_expire() {
    let judgement = adopted_on("2026-01-05");
    let of = |day: &str| judgement.effective_on(date(day));
    assert!(of("2026-01-05").is_empty());
    assert_eq!(of("2028-01-05")["OPERATION"], amount("12"));
    let last: Vec<_> = of("2028-01-06").into_iter().collect();
    assert_eq!(last, [("HEADQUARTERS".into(), amount("15"))]);
}

#[test]
fn totals_keep_what_has_expired() {
    assert_eq!(adopted_on("2021-01-05").accounts()["A"].total(), amount("70"));
}
