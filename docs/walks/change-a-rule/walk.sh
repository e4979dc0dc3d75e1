# Bonus tier three opens with three direct adopters instead of four. It needs `domain`, and the oracle that its tests compare with.
title="change a rule: a threshold of the bonus tiers"
test=(cargo test --quiet -p domain --lib --
    direct_adopters_unlock_by_the_steps_of_the_rules
    without_an_own_adoption_levels_stay_closed_and_only_the_first_tier_is_missing
    whatever_the_arrival_the_ledger_is_what_ascending_orders_give)
notices=(
    "unlock::tests::direct_adopters_unlock_by_the_steps_of_the_rules"
    "unlock::tests::without_an_own_adoption_levels_stay_closed_and_only_the_first_tier_is_missing"
    "properties::whatever_the_arrival_the_ledger_is_what_ascending_orders_give"
)
