//! The query of a request, checked against what its route takes, with its cursor followed.

use crate::access::Access;
use crate::cursor::Cursor;
use crate::event::Event;
use crate::expected::Expected;
use crate::problem::Problem;

/// The parameter that every route takes that reads the ledger.
pub(crate) const AT_LEAST: &str = "at_least";

/// A query that its route takes.
#[derive(Debug)]
pub(crate) struct Query {
    /// Names and values, those of the cursor included.
    pub(crate) values: Vec<(String, String)>,
    /// The place in a list that the cursor names.
    pub(crate) place: Option<String>,
}

impl Query {
    /// Reads the query of a request to a route with this access, which takes these parameters.
    ///
    /// Parameters that the route does not take, or that come twice, are refused: a caller who writes `limti=5`
    /// wants to know.
    pub(crate) fn read(event: &Event, access: Access, parameters: &[&str]) -> Result<Self, Problem> {
        let mut values: Vec<(String, String)> =
            form_urlencoded::parse(event.query().as_bytes()).into_owned().collect();
        check_names(&values, access, parameters)?;
        let place = follow_cursor(event.path(), parameters, &mut values)?;
        Ok(Self { values, place })
    }
}

/// Checks that the route takes every parameter, each once.
fn check_names(query: &[(String, String)], access: Access, parameters: &[&str]) -> Result<(), Problem> {
    let reads_ledger = access != Access::Public;
    for (index, (name, _)) in query.iter().enumerate() {
        let is_known = parameters.contains(&name.as_str()) || (reads_ledger && name == AT_LEAST);
        if !is_known {
            let expected = match parameters {
                [] => Expected::new("left out: there is no such parameter here", "省略（此处没有该参数）"),
                known => Expected::one_of(known),
            };
            return Err(Problem::invalid(name, expected));
        }
        if query[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(Problem::invalid(name, Expected::new("given once", "只写一次")));
        }
    }
    Ok(())
}

/// Takes the cursor out of a query, and adds what it was asked with. Returns the place that it names.
fn follow_cursor(
    path: &str,
    parameters: &[&str],
    query: &mut Vec<(String, String)>,
) -> Result<Option<String>, Problem> {
    let Some(index) = query.iter().position(|(name, _)| name == "cursor") else { return Ok(None) };
    let (_, text) = query.remove(index);
    let cursor = Cursor::decode(&text)?;
    if cursor.path != path {
        return Err(Problem::InvalidCursor);
    }
    for (name, value) in cursor.query {
        if !parameters.contains(&name.as_str()) || name == "cursor" {
            return Err(Problem::InvalidCursor);
        }
        match query.iter().find(|(known, _)| *known == name) {
            None => query.push((name, value)),
            Some((_, given)) if *given == value || name == "limit" => {}
            Some(_) => {
                return Err(Problem::invalid(
                    &name,
                    Expected::new(
                        format!("{value}, as the cursor was asked with, or left out"),
                        format!("{value}，与取得游标时相同，或省略"),
                    ),
                ));
            }
        }
    }
    Ok(Some(cursor.place))
}
