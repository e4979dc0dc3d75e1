//! Which of several live rows with one business key counts (rules, section 6).

use std::collections::BTreeMap;

use crate::rows::{PrimaryKey, Table};

/// A live row that another one with the same business key keeps out of force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shadowed {
    /// The row's table.
    pub table: Table,
    /// The account or the order number.
    pub name: String,
    /// The row's primary key.
    pub key: PrimaryKey,
}

/// Returns the row in force of each business key, and adds the others to `shadowed`.
///
/// The greatest primary key counts. A row without a business key is not there at all.
pub(crate) fn rows_in_force<'a, Row, Name: Ord + ToString>(
    table: Table,
    rows: &'a [Row],
    name_of: impl Fn(&'a Row) -> Option<Name>,
    key_of: impl Fn(&Row) -> &PrimaryKey,
    shadowed: &mut Vec<Shadowed>,
) -> BTreeMap<Name, &'a Row> {
    let mut in_force: BTreeMap<Name, &Row> = BTreeMap::new();
    for row in rows {
        let Some(name) = name_of(row) else { continue };
        let loser = match in_force.get_mut(&name) {
            None => {
                in_force.insert(name, row);
                continue;
            }
            Some(held) if key_of(held) < key_of(row) => std::mem::replace(held, row),
            Some(_) => row,
        };
        shadowed.push(Shadowed { table, name: name.to_string(), key: key_of(loser).clone() });
    }
    in_force
}
