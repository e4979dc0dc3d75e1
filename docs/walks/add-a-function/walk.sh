# A function that says each minute how old the last page is. It needs `watch`, and the function's crate without the AWS clients.
title="add a function: page-age"
test=(bash -c "cargo test --quiet -p watch --test watch -- functions:: layers:: manifests:: &&
    cargo test --quiet -p page-age --no-default-features")
notices=(
    "functions::every_function_is_deployed_and_runs_locally_and_is_on_the_map"
    "functions::a_function_says_which_tables_and_queues_it_touches_as_its_role_allows"
    "layers::a_crate_names_only_crates_of_the_layers_below"
)
