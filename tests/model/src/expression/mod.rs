//! Expressions of the table service: conditions, filters, updates, projections and key conditions.

mod condition;
mod key_condition;
mod parser;
mod path;
mod projection;
mod shape;
mod token;
mod update;

pub use condition::{Comparator, Condition, Operand};
pub use key_condition::{KeyCondition, SortCondition};
pub use parser::{Parser, Placeholders};
pub use path::{Path, Step};
pub use projection::project;
pub use update::{SetOperand, Update};

use crate::error::ServiceError;

/// Reads a condition or a filter.
pub fn parse_condition(text: &str, placeholders: &mut Placeholders) -> Result<Condition, ServiceError> {
    let mut parser = Parser::new(text, placeholders)?;
    let condition = parser.whole_condition()?;
    parser.end()?;
    Ok(condition)
}

/// Reads an update expression.
pub fn parse_update(text: &str, placeholders: &mut Placeholders) -> Result<Update, ServiceError> {
    let mut parser = Parser::new(text, placeholders)?;
    let update = parser.update()?;
    parser.end()?;
    update.check_paths()?;
    update.check_operands()?;
    Ok(update)
}

/// Reads a projection: the paths that an answer is to contain.
pub fn parse_projection(text: &str, placeholders: &mut Placeholders) -> Result<Vec<Path>, ServiceError> {
    let mut parser = Parser::new(text, placeholders)?;
    let paths = parser.paths()?;
    parser.end()?;
    path::refuse_overlaps(&paths)?;
    Ok(paths)
}
