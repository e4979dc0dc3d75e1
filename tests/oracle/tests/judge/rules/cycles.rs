//! Section 6: referrals that come back to an account.

use oracle::HoldReason::{NoReferral, ReferralCycle};

use super::source::{Source, allocated, order_id};

/// Returns a cycle of so many accounts, `C1` referred by `C2` and so on, with `below` referred by `C1` and `under` by
/// `below`, and an order of each: of `C1` 1, of `below` 2, of `under` 3.
fn cycle_of(length: usize) -> Source {
    let name = |number: usize| format!("C{number}");
    let mut source = Source::new();
    for number in 1..=length {
        source = source.account(&name(number), Some(&name(number % length + 1)));
    }
    source.account("below", Some("C1")).account("under", Some("below")).orders(&[
        (1, "C1"),
        (2, "below"),
        (3, "under"),
    ])
}

#[test]
fn an_account_that_refers_itself_holds_everything_up_to_fourteen_levels_below() {
    assert_eq!(cycle_of(1).held(), [(1, ReferralCycle), (2, ReferralCycle), (3, ReferralCycle)]);
    assert_eq!(cycle_of(2).held(), [(1, ReferralCycle), (2, ReferralCycle), (3, ReferralCycle)]);
}

#[test]
fn below_a_cycle_an_account_is_held_if_fifteen_levels_come_back() {
    // Ancestors 1 to 15 of `below` are the fifteen accounts of the cycle, each once.
    assert_eq!(cycle_of(15).held(), [(1, ReferralCycle)]);
    // Of `below` fourteen accounts, and the first of them again. Of `under` one of them less.
    assert_eq!(cycle_of(14).held(), [(1, ReferralCycle), (2, ReferralCycle)]);
}

#[test]
fn a_cycle_longer_than_the_levels_holds_nothing() {
    // The adopter and its fifteen ancestors are sixteen accounts.
    for length in [16, 40] {
        let source = cycle_of(length);
        assert_eq!(source.held(), [], "{length}");
        let judgement = source.judged();
        assert_eq!(judgement.accounts()["C16"].team.trees[14], 1, "C1 is 15 levels below C16");
        assert_eq!(judgement.accounts()["C15"].team.trees[14], 1, "`below` is 15 levels below C15");
    }
}

#[test]
fn a_cycle_above_fifteen_levels_is_not_met() {
    let mut names: Vec<String> = (1..=16).map(|number| format!("A{number:02}")).collect();
    names.insert(0, "top".to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let source =
        Source::chain(&names).moved("top", Some("top")).orders(&[(1, "A14"), (2, "A15"), (3, "A16")]);
    // `top` is ancestor 14 of A14, and its referrer, the same account, the 15th. Of A15 it is the 15th itself.
    assert_eq!(source.held(), [(1, ReferralCycle)]);
}

#[test]
fn a_missing_row_is_met_before_a_cycle_beyond_it_could_be() {
    let source = Source::new().account("A", Some("B")).orders(&[(1, "A")]);
    assert_eq!(source.held(), [(1, NoReferral)]);
    assert_eq!(source.account("B", Some("A")).held(), [(1, ReferralCycle)]);
}

#[test]
fn it_does_not_matter_which_of_the_rows_came_first() {
    let one = Source::new().account("A", Some("B")).account("B", Some("A")).orders(&[(1, "A"), (2, "B")]);
    let other = Source::new().account("B", Some("A")).account("A", Some("B")).orders(&[(1, "A"), (2, "B")]);
    assert_eq!(one.held(), [(1, ReferralCycle), (2, ReferralCycle)]);
    assert_eq!(other.held(), one.held());
}

#[test]
fn a_cycle_that_is_broken_leaves_nothing_behind() {
    let cycle = Source::chain(&["A", "B", "C"]).orders(&[(1, "A"), (2, "B"), (3, "C")]).moved("A", Some("C"));
    assert_eq!(cycle.held(), [(1, ReferralCycle), (2, ReferralCycle), (3, ReferralCycle)]);
    assert_eq!(cycle.judged().talents()["A"].promotion_count, 2, "never its own descendant");
    let broken = cycle.moved("A", None).judged();
    let straight = Source::chain(&["A", "B", "C"]).orders(&[(1, "A"), (2, "B"), (3, "C")]).judged();
    assert_eq!(
        broken.full(super::source::date("2026-02-10")),
        straight.full(super::source::date("2026-02-10"))
    );
}

#[test]
fn two_accounts_that_swap_referrers_each_get_the_other_upline() {
    // B below A and D below C; afterwards B below C and D below A.
    let source = Source::new()
        .account("A", None)
        .account("B", Some("A"))
        .account("C", None)
        .account("D", Some("C"))
        .orders(&[(1, "A"), (2, "C"), (3, "B"), (4, "D")]);
    assert_eq!(allocated(&source.judged(), 3), ["L1 A", "B1 A"]);
    let swapped = source.moved("B", Some("C")).moved("D", Some("A")).judged();
    assert_eq!(allocated(&swapped, 3), ["L1 C", "B1 C"]);
    assert_eq!(allocated(&swapped, 4), ["L1 A", "B1 A"]);
    assert_eq!(swapped.accounts()["A"].direct_adoptions, [order_id(4)]);
}

#[test]
fn a_parent_and_a_child_that_change_places_have_each_other_upline_turned_round() {
    let source = Source::chain(&["A", "B"]).orders(&[(1, "A"), (2, "B")]);
    assert_eq!(source.clone().moved("A", Some("B")).held(), [(1, ReferralCycle), (2, ReferralCycle)]);
    let turned = source.moved("A", Some("B")).moved("B", None).judged();
    // As of order 1 B has not adopted; order 2 is of a root.
    assert_eq!(allocated(&turned, 1), [""; 0]);
    assert_eq!(allocated(&turned, 2), [""; 0]);
    assert_eq!(turned.accounts()["B"].direct_adoptions, [order_id(1)]);
}

#[test]
fn a_root_that_gets_a_referrer_moves_with_everything_below() {
    let source = Source::chain(&["A", "B"]).account("R", None).orders(&[(1, "R"), (2, "A"), (3, "B")]);
    assert_eq!(allocated(&source.judged(), 3), ["L1 A", "B1 A"]);
    let moved = source.moved("A", Some("R")).judged();
    assert_eq!(allocated(&moved, 2), ["L1 R", "B1 R"]);
    assert_eq!(allocated(&moved, 3), ["L1 A", "L2 R", "B1 A"]);
    assert_eq!(moved.accounts()["R"].team.trees[..2], [1, 1]);
    assert_eq!(moved.accounts()["R"].unlocked_level_depth, 5);
}
