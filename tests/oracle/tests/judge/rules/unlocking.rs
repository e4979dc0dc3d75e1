//! Section 5: unlocking.

use oracle::Policy;
use oracle::rows::AdoptionRow;

use super::source::{Source, allocated, amount, order, order_id};

/// Returns A with so many direct referrals `D1`, `D2` and so on, in whose team `T` is `levels` below A.
fn network(directs: usize, levels: usize) -> Source {
    let mut source = Source::chain(&["A"]);
    let mut above = "A".to_owned();
    for level in 1..levels {
        let name = format!("M{level:02}");
        source = source.account(&name, Some(&above));
        above = name;
    }
    source = source.account("T", Some(&above));
    for direct in 1..=directs {
        source = source.account(&format!("D{direct}"), Some("A"));
    }
    source
}

#[test]
fn the_adoption_that_is_distributed_counts_itself() {
    // A adopts, then its only direct referral: that order unlocks five levels, and gets one of them.
    let judgement = Source::chain(&["A", "B"]).orders(&[(1, "A"), (2, "B")]).judged();
    assert_eq!(allocated(&judgement, 2), ["L1 A", "B1 A"]);
}

#[test]
fn order_numbers_decide_and_not_the_order_of_the_rows() {
    let before = Source::chain(&["A", "B"]).orders(&[(1, "A"), (2, "B")]);
    let arrived_late = Source::chain(&["A", "B"]).orders(&[(2, "B"), (1, "A")]);
    assert_eq!(allocated(&arrived_late.judged(), 2), allocated(&before.judged(), 2));
    let adopted_later = Source::chain(&["A", "B"]).orders(&[(2, "B"), (3, "A")]).judged();
    assert_eq!(allocated(&adopted_later, 2), [""; 0]);
    assert_eq!(adopted_later.accounts()["A"].unlocked_level_depth, 5, "from order 3 on");
}

#[test]
fn one_three_and_five_direct_adopters_open_five_ten_and_fifteen_levels() {
    for (directs, depth) in [(0, 0), (1, 5), (2, 5), (3, 10), (4, 10), (5, 15), (6, 15)] {
        for level in [2, 5, 6, 10, 11, 15] {
            let mut source = network(directs, level).orders(&[(1, "A")]);
            for direct in 1..=directs {
                source = source.adoption(order(1 + direct as u64, &format!("D{direct}")));
            }
            let judgement = source.orders(&[(100, "T")]).judged();
            let expected = if level <= depth { vec![format!("L{level} A")] } else { vec![] };
            assert_eq!(allocated(&judgement, 100), expected, "{directs} direct adopters, level {level}");
            assert_eq!(judgement.accounts()["A"].unlocked_level_depth, depth);
        }
    }
}

#[test]
fn levels_need_the_account_own_adoption_unless_the_policy_says_otherwise() {
    let source = network(5, 3).orders(&[(1, "D1"), (2, "D2"), (3, "D3"), (4, "D4"), (5, "D5"), (6, "T")]);
    assert_eq!(allocated(&source.judged(), 6), [""; 0]);
    let policy = Policy { team_requires_own_adoption: false, ..Policy::default() };
    // M02 has one direct adopter, T, and A has five.
    assert_eq!(allocated(&source.policy(policy).judged(), 6), ["L1 M02", "L3 A"]);
}

#[test]
fn bonus_tiers_two_and_three_do_not_need_the_own_adoption_and_tier_one_is_one_of_the_count() {
    // Two direct adopters give one tier, four give two, the own adoption another one: tiers are a number.
    let source = network(4, 1);
    let directs = [(1, "D1"), (2, "D2"), (3, "D3"), (4, "D4")];
    let without = source.clone().orders(&directs).judged();
    let bonuses = |judgement, number| -> Vec<String> {
        allocated(judgement, number).into_iter().filter(|leg| leg.starts_with('B')).collect()
    };
    assert_eq!(bonuses(&without, 1), [""; 0]);
    assert_eq!(bonuses(&without, 2), ["B1 A"]);
    assert_eq!(bonuses(&without, 3), ["B1 A"]);
    assert_eq!(bonuses(&without, 4), ["B1 A", "B2 A"]);
    assert_eq!(without.accounts()["A"].unlocked_bonus_tiers, 2);
    let with = source.orders(&directs).orders(&[(5, "A"), (6, "T")]).judged();
    assert_eq!(bonuses(&with, 4), ["B1 A", "B2 A"], "the own adoption came after");
    assert_eq!(bonuses(&with, 6), ["B1 A", "B2 A", "B3 A"]);
}

#[test]
fn a_direct_referral_counts_once_however_often_it_adopts() {
    let judgement = network(1, 2).orders(&[(1, "A"), (2, "D1"), (3, "D1"), (4, "D1")]).judged();
    let account = &judgement.accounts()["A"];
    assert_eq!(account.direct_adoptions, [order_id(2)]);
    assert_eq!((account.unlocked_level_depth, account.unlocked_bonus_tiers), (5, 1));
    assert_eq!(account.team.trees[0], 3);
    assert_eq!(account.team.direct_adopters, 1);
}

#[test]
fn an_earlier_order_that_goes_takes_its_unlock_with_it() {
    let source = Source::chain(&["A", "B"]).orders(&[(1, "A"), (2, "B")]);
    let mut gone = source.clone();
    gone.inputs.tables.adoptions[0] = AdoptionRow { status: "REFUNDED".to_owned(), ..order(1, "A") };
    assert_eq!(allocated(&gone.judged(), 2), [""; 0]);
    assert_eq!(gone.judged().system_accounts()["HEADQUARTERS"].balance, amount("15"));
    assert_eq!(source.judged().system_accounts()["HEADQUARTERS"].balance, amount("27"), "15, and 15 less 3");
}

#[test]
fn what_has_expired_unlocks_as_before() {
    let mut source = Source::chain(&["A", "B"]).orders(&[(1, "A"), (2, "B")]);
    source.inputs.today = super::source::date("2040-01-01");
    assert_eq!(allocated(&source.judged(), 2), ["L1 A", "B1 A"]);
    assert_eq!(source.judged().accounts()["A"].unlocked_level_depth, 5);
}
