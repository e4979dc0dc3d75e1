#!/bin/sh
# Tries the API with invented requests, as an operator and as a member: whether it keeps to its contract.
#
#   tests/contract/run.sh [EXAMPLES]          Schemathesis 4 from PyPI, and a built `contribution`, are needed
set -eu
cd "$(dirname "$0")"
contribution=${CONTRIBUTION:-../../target/debug/contribution}
port=${PORT:-8790}
"$contribution" run --as-of 2026-02-10 --port "$port" > stack.log 2>&1 &
stack=$!
# What Hypothesis found before is tried again; it does not belong into the repository.
export HYPOTHESIS_STORAGE_DIRECTORY="${TMPDIR:-/tmp}/contract-hypothesis"
trap 'kill "$stack"' EXIT
until grep -q "up; press" stack.log; do
    kill -0 "$stack" || { cat stack.log; exit 1; }
    sleep 1
done
# No request that is invented names a subscription that there is.
"$contribution" webhook set mining http://127.0.0.1:9/in --after 0 --reason "for the requests" \
    --url "http://127.0.0.1:$port" --token "$("$contribution" token --operate)"
failed=0
for grant in --operate "--account D25122700018"; do
    echo "with a token for $grant"
    # shellcheck disable=SC2086
    schemathesis run "http://127.0.0.1:$port/openapi.json" --max-examples "${1:-50}" \
        --header "Authorization: Bearer $("$contribution" token $grant)" || failed=1
done
exit $failed
