//! Statements of the `PartiQL` dialect of the table service, on single items.

mod parser;
mod token;

use crate::error::ServiceError;
use crate::expression::{Condition, Path, Update};
use crate::value::{AttributeValue, Item};

/// A statement about one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The table that it names.
    pub table: String,
    /// What it does.
    pub kind: StatementKind,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// Reads an item.
    Select {
        /// The parts wanted; all without.
        projection: Option<Vec<Path>>,
        /// Which item.
        condition: Option<Condition>,
        /// The key attributes by which the items are ordered, and whether each descends.
        order: Vec<(String, bool)>,
    },
    /// Checks an item in a transaction of writes.
    Check {
        /// Which item, and what must hold.
        condition: Option<Condition>,
    },
    /// Puts an item that must not be there.
    Insert {
        /// The item.
        item: Item,
    },
    /// Changes an item that must be there.
    Update {
        /// How.
        update: Update,
        /// Which item, and what must hold.
        condition: Option<Condition>,
        /// What is answered.
        returning: Returning,
    },
    /// Removes an item.
    Delete {
        /// Which item, and what must hold.
        condition: Option<Condition>,
        /// What is answered.
        returning: Returning,
    },
}

/// What a statement answers of the item that it writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Returning {
    /// Nothing.
    #[default]
    Nothing,
    /// The item before.
    AllOld,
    /// The item after.
    AllNew,
    /// What it changed, as it was before.
    ModifiedOld,
    /// What it changed, as it is after.
    ModifiedNew,
}

impl Statement {
    /// Reads a statement; its question marks are the parameters, in order.
    pub fn parse(text: &str, parameters: Vec<AttributeValue>) -> Result<Self, ServiceError> {
        parser::parse(text, parameters)
    }

    /// Returns whether the statement only reads.
    #[must_use]
    pub fn reads(&self) -> bool {
        matches!(self.kind, StatementKind::Select { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::{Returning, Statement, StatementKind};
    use crate::expression::{Condition, Path};
    use crate::value::{AttributeValue, Number};

    fn text(text: &str) -> AttributeValue {
        AttributeValue::S(text.into())
    }

    #[test]
    fn an_insert_takes_parameters_and_literals_of_every_kind() {
        let statement = Statement::parse(
            r#"insert into "T" value {'pk': ?, 'quote': 'it''s', n: -1.5, b: true, z: null, l: [1, 'x'], s: <<'a', 'b'>>, m: {'k': ?}}"#,
            vec![text("A"), text("B")],
        )
        .expect("a statement");
        let StatementKind::Insert { item } = statement.kind else { panic!("an insert") };
        assert_eq!(item["pk"], text("A"));
        assert_eq!(item["quote"], text("it's"));
        assert_eq!(item["n"], AttributeValue::N(Number::parse("-1.5").expect("a number")));
        assert_eq!(item["z"], AttributeValue::Null);
        assert_eq!(item["m"], AttributeValue::M([("k".to_owned(), text("B"))].into()));
        assert!(matches!(&item["s"], AttributeValue::Ss(members) if members.len() == 2));
    }

    #[test]
    fn an_update_may_have_several_clauses_and_return_the_item() {
        let statement = Statement::parse(
            "UPDATE T SET a=a+?, b[1].c='x' SET d=list_append(d, ?) REMOVE e WHERE pk='A' AND sk=? AND v IS NOT MISSING RETURNING ALL NEW *",
            vec![AttributeValue::N(1_u64.into()), AttributeValue::L(vec![]), text("1")],
        )
        .expect("a statement");
        let StatementKind::Update { update, condition, returning } = statement.kind else {
            panic!("an update")
        };
        assert_eq!(update.set.len(), 3);
        assert_eq!(update.remove, vec![Path::attribute("e")]);
        assert_eq!(returning, Returning::AllNew);
        let conjuncts = condition.expect("a condition").into_conjuncts();
        assert_eq!(conjuncts.len(), 3);
        assert_eq!(conjuncts[2], Condition::Exists(Path::attribute("v")));
    }

    #[test]
    fn a_select_may_be_ordered_or_stand_in_a_check() {
        let statement = Statement::parse("SELECT * FROM T WHERE pk='A' ORDER BY pk, sk DESC", vec![])
            .expect("a statement");
        let StatementKind::Select { order, .. } = statement.kind else { panic!("a select") };
        assert_eq!(order, [("pk".to_owned(), false), ("sk".to_owned(), true)]);
        let check =
            Statement::parse("EXISTS(SELECT * FROM T WHERE pk='A' AND sk='1' AND n=?)", vec![text("x")])
                .expect("a statement");
        assert!(!check.reads());
        let StatementKind::Check { condition } = check.kind else { panic!("a check") };
        assert_eq!(condition.expect("a condition").into_conjuncts().len(), 3);
        assert!(Statement::parse("EXISTS(SELECT * FROM T WHERE pk='A'", vec![]).is_err());
    }

    #[test]
    fn the_number_of_parameters_must_fit() {
        assert!(Statement::parse("DELETE FROM T WHERE pk=?", vec![]).is_err());
        assert!(Statement::parse("DELETE FROM T WHERE pk='a'", vec![text("a")]).is_err());
        assert!(Statement::parse("DROP TABLE T", vec![]).is_err());
    }
}
