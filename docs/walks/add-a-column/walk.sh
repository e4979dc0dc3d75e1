# A column of the users that only some sources have, and that no rule reads. It needs `cdc` and `domain` alone.
title="add a column: when a user was deactivated"
test=(cargo test --quiet -p cdc --lib -- tests::messages column::)
notices=("no field \`deactivated_at\`")
