//! Section 8: the snapshot of a date and the teams of a date.

use oracle::rows::{AdoptionRow, Term};
use oracle::{Adjustment, NegativeHeadquarters, Ratio, SnapshotRow};

use super::source::{Source, amount, date, order};

fn gift(from: &str, to: &str, moved: &str) -> Adjustment {
    Adjustment {
        from: from.to_owned(),
        to: to.to_owned(),
        amount: amount(moved),
        effective_date: date("2026-01-06"),
        expire_date: None,
    }
}

#[test]
fn a_row_for_each_account_with_something_and_ratios_that_sum_to_one() {
    let judgement = Source::chain(&["A", "B"]).orders(&[(1, "A"), (2, "B")]).judged();
    let snapshot = judgement.snapshot(date("2026-02-10")).expect("nothing is negative");
    assert_eq!((snapshot.network_total, snapshot.user_total), (amount("200"), amount("143")));
    let rows: Vec<String> = snapshot
        .rows
        .iter()
        .map(|(account, SnapshotRow { effective, ratio })| format!("{account} {effective} {ratio}"))
        .collect();
    assert_eq!(
        rows,
        [
            "A 73.0000000000 0.365000000000000000",
            "B 70.0000000000 0.350000000000000000",
            "CITY 4.0000000000 0.020000000000000000",
            "HEADQUARTERS 27.0000000000 0.135000000000000000",
            "OPERATION 24.0000000000 0.120000000000000000",
            "PROVINCE 2.0000000000 0.010000000000000000",
        ]
    );
}

#[test]
fn what_the_ratios_leave_over_is_in_headquarters_row() {
    // After everything else has expired: 15 of headquarters, which gives 5 each to A and B for good.
    let mut source = Source::chain(&["A"]).account("B", None).orders(&[(1, "A")]);
    source.inputs.adjustments = vec![gift("HEADQUARTERS", "A", "5"), gift("HEADQUARTERS", "B", "5")];
    let snapshot = source.judged().snapshot(date("2030-01-01")).expect("nothing is negative");
    let ratio = |account: &str| snapshot.rows[account].ratio.to_string();
    assert_eq!([ratio("A"), ratio("B")], ["0.333333333333333333", "0.333333333333333333"]);
    assert_eq!(ratio("HEADQUARTERS"), "0.333333333333333334");
    assert_eq!(snapshot.rows.values().map(|row| row.ratio).sum::<Ratio>(), Ratio::ONE);
}

#[test]
fn where_nothing_is_active_headquarters_has_all_of_it() {
    let snapshot = Source::chain(&["A"]).judged().snapshot(date("2026-02-10")).expect("nothing is negative");
    assert_eq!(snapshot.rows.len(), 1);
    assert_eq!(snapshot.rows["HEADQUARTERS"], SnapshotRow { effective: amount("0"), ratio: Ratio::ONE });
}

#[test]
fn a_negative_account_has_no_row_and_headquarters_takes_the_difference() {
    // A gave 74 of its 70, and the order 2 that had made up for it is cancelled.
    let cancelled = AdoptionRow { status: "CANCELLED".to_owned(), ..order(2, "A") };
    let mut source = Source::chain(&["A"]).account("B", None).orders(&[(1, "A")]).adoption(cancelled);
    source.inputs.adjustments = vec![gift("A", "B", "74")];
    let snapshot = source.judged().snapshot(date("2026-02-10")).expect("headquarters can bear it");
    assert!(!snapshot.rows.contains_key("A"));
    assert_eq!(snapshot.rows["HEADQUARTERS"].effective, amount("11"), "15 less 4");
    assert_eq!(snapshot.rows["B"].effective, amount("74"));
    assert_eq!(snapshot.network_total, amount("100"));
    assert_eq!(snapshot.user_total, amount("74"));
}

#[test]
fn a_date_on_which_headquarters_row_would_be_negative_cannot_be_closed() {
    let mut source = Source::chain(&["A"]).account("B", None).orders(&[(1, "A")]);
    source.inputs.adjustments = vec![gift("A", "B", "85.0000000001")];
    let judgement = source.judged();
    let negative = judgement.snapshot(date("2026-02-10")).expect_err("15 less 15.0000000001");
    assert_eq!(negative, NegativeHeadquarters { effective: amount("-0.0000000001") });
    assert!(judgement.golden(date("2026-02-10"))["snapshot"].is_null());
    assert_eq!(judgement.golden(date("2026-02-10"))["accounts"]["A"]["effective"], "-15.0000000001");
}

#[test]
fn an_account_called_like_a_system_account_is_another_party_and_shares_a_row() {
    let judgement = Source::chain(&["OPERATION"]).orders(&[(1, "OPERATION")]).judged();
    assert_eq!(judgement.accounts()["OPERATION"].personal, amount("70"));
    assert_eq!(judgement.system_accounts()["OPERATION"].balance, amount("12"));
    let snapshot = judgement.snapshot(date("2026-02-10")).expect("nothing is negative");
    assert_eq!(snapshot.rows["OPERATION"].effective, amount("82"));
    assert_eq!(snapshot.user_total, amount("70"));
}

#[test]
fn teams_of_a_date_count_what_has_begun_and_never_expire() {
    let on = |number, account, day, trees| AdoptionRow {
        adoption_date: Term::Given(date(day)),
        trees: Term::Given(trees),
        ..order(number, account)
    };
    let judgement = Source::chain(&["A", "B", "C"])
        .adoption(on(1, "B", "2021-01-05", 2))
        .adoption(on(2, "C", "2026-02-01", 3))
        .adoption(on(3, "B", "2026-02-01", 4))
        .judged();
    let team = |day| judgement.teams_on(date(day)).get("A").cloned().unwrap_or_default();
    assert_eq!(team("2021-01-05").trees[0], 0);
    assert_eq!(team("2021-01-06").trees[..2], [2, 0]);
    assert_eq!(team("2026-02-01").trees[..2], [2, 0]);
    assert_eq!(team("2026-02-02").trees[..2], [6, 3]);
    assert_eq!(team("2026-02-02").direct_adopters, 1);
    assert_eq!(judgement.accounts()["A"].team, team("2026-02-02"));
}

#[test]
fn later_inputs_restate_closed_dates_in_runs_of_equal_differences() {
    let source = Source::chain(&["A", "B"]).orders(&[(1, "A")]);
    let late = AdoptionRow { adoption_date: Term::Given(date("2026-01-15")), ..order(2, "A") };
    let later = source.clone().adoption(late).judged();
    let restated = oracle::restated(&source.judged(), &later, date("2026-01-10"), date("2026-01-31"));
    let of = |account: &str| -> Vec<String> {
        let lines = restated.iter().filter(|line| &*line.account == account);
        lines.map(|line| format!("{} {} {}", line.first_date, line.last_date, line.difference)).collect()
    };
    assert_eq!(of("A"), ["2026-01-16 2026-01-31 70.0000000000"]);
    assert_eq!(of("HEADQUARTERS"), ["2026-01-16 2026-01-31 15.0000000000"]);
    assert!(of("B").is_empty());
    assert!(oracle::restated(&later, &later, date("2026-01-10"), date("2026-01-31")).is_empty());
    let before = oracle::restated(&source.judged(), &later, date("2026-01-01"), date("2026-01-15"));
    assert!(before.is_empty());

    // The order moves from 15 to 20 January: it is missing for five dates, and changes nothing on the others.
    let moved = AdoptionRow { adoption_date: Term::Given(date("2026-01-20")), ..order(2, "A") };
    let moved = source.adoption(moved).judged();
    let restated = oracle::restated(&later, &moved, date("2026-01-01"), date("2026-01-31"));
    let lines: Vec<String> = restated
        .iter()
        .filter(|line| &*line.account == "A")
        .map(|line| format!("{} {} {}", line.first_date, line.last_date, line.difference))
        .collect();
    assert_eq!(lines, ["2026-01-16 2026-01-20 -70.0000000000"]);
}
