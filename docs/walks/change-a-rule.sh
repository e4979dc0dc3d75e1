#!/usr/bin/env bash
# A walk: change a rule. Bonus tier three opens with three direct adopters instead of four.
#
#   1. Change the number in the policy, and see the named tests fail: they state the rule on their own.
#   2. Change the page and the tests, and see them pass.
#
# The walk applies its two patches to the working tree, and takes them back when it ends, however it ends.
# It needs no other crate than `domain`, and compiles in seconds.
set -euo pipefail
cd "$(dirname "$0")/../.."
patches=docs/walks/change-a-rule
tests=(
    direct_adopters_unlock_by_the_steps_of_the_rules
    without_an_own_adoption_levels_stay_closed_and_only_the_first_tier_is_missing
    whatever_the_arrival_the_ledger_is_what_ascending_orders_give
)
# A property that fails on purpose is not a regression to remember.
export PROPTEST_DISABLE_FAILURE_PERSISTENCE=true

applied=()
undo() {
    for ((last = ${#applied[@]} - 1; last >= 0; last--)); do
        git apply --reverse "${applied[$last]}"
    done
}
trap undo EXIT

apply() {
    git apply "$1" || {
        echo "$1 does not apply: the code has moved on since. Make the patch anew (git diff -U1)." >&2
        exit 1
    }
    applied+=("$1")
    git apply --numstat "$1" | while read -r _ _ file; do echo "   changed $file"; done
}

run_tests() {
    cargo test --quiet -p domain -- "${tests[@]}" 2>&1
}

echo "1. The number: bonus_tier_steps in shared/domain/src/policy.rs"
apply $patches/1-the-number.patch
if output=$(run_tests); then
    echo "The tests passed with the changed number: they do not state the rule any more." >&2
    exit 1
fi
for test in "${tests[@]}"; do
    grep -qE "^    [a-z_:]*$test$" <<<"$output" || {
        echo "$output" >&2
        echo "$test did not fail, or did not compile." >&2
        exit 1
    }
    echo "   fails, as it should: $test"
done

echo "2. The page and the tests say the same"
apply $patches/2-page-and-tests.patch
run_tests | grep "test result"
echo "Done, and undone. A real change goes on with the oracle (tests/oracle/src/policy.rs), the captures' expected ledgers and"
echo "CHANGELOG.md: cargo test --workspace names what still states the old rule."
