# A route that answers with the business date. It needs `query-api` without the AWS clients.
title="add a route: GET /v1/today"
test=(cargo test --quiet -p query-api --no-default-features --test contract)
notices=("every_route_is_in_the_contract_with_its_callers_and_nothing_else_is")
