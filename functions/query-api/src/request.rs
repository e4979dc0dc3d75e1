//! What is asked for: a route's parameters, checked.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use ledger::rules::{AccountSequence, Policy};
use ledger::store::Store;

use crate::QueryApi;
use crate::access::Caller;
use crate::cursor;
use crate::problem::Problem;
use crate::route::{PathValues, Route};

/// Entries of a list in one answer, unless `limit` says otherwise.
const LIMIT_DEFAULT: usize = 50;
/// Entries of a list in one answer at most.
pub(crate) const LIMIT_MAX: usize = 200;

/// A request that may be answered.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    api: &'a QueryApi,
    now: DateTime<Utc>,
    caller: Option<Caller>,
    path: PathValues,
    query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Request<'a> {
    /// A request to a route. Parameters the route does not take, or that come twice, are refused: who
    /// writes `limti=5` wants to know.
    pub(crate) fn new(
        api: &'a QueryApi,
        now: DateTime<Utc>,
        route: &Route,
        caller: Option<Caller>,
        path: PathValues,
        query: &'a str,
    ) -> Result<Self, Problem> {
        let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        for (index, (name, _)) in query.iter().enumerate() {
            if !route.parameters.contains(&name.as_ref()) {
                let expected = match route.parameters {
                    [] => "left out: there are no parameters here".to_owned(),
                    known => format!("one of {}", known.join(", ")),
                };
                return Err(Problem::invalid(name, expected));
            }
            if query[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Problem::invalid(name, "given once"));
            }
        }
        Ok(Self { api, now, caller, path, query })
    }

    /// The tables.
    pub(crate) fn store(&self) -> &Store {
        &self.api.environment.store
    }

    /// The rules' numbers.
    pub(crate) fn policy(&self) -> &Policy {
        &self.api.environment.policy
    }

    /// Whether the source says when users were last seen.
    pub(crate) fn knows_activity(&self) -> bool {
        self.api.knows_activity
    }

    /// When the request arrived.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Whether the caller may read this account's name where somebody else's data mention it.
    pub(crate) fn may_name(&self, account: &AccountSequence) -> bool {
        match &self.caller {
            Some(Caller::Operator) => true,
            Some(Caller::User(own)) => own == account,
            Some(Caller::Stranger) | None => false,
        }
    }

    /// A value of the path.
    pub(crate) fn path<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<T, Problem> {
        let value = self.path.iter().find(|(known, _)| *known == name);
        let (_, value) = value.expect("a route asks for the parameters of its own path");
        value.parse().map_err(|error: T::Err| Problem::invalid(name, expectation(&error)))
    }

    /// A value of the query, if it is given.
    pub(crate) fn query<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<Option<T>, Problem> {
        let value = self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.parse());
        value.transpose().map_err(|error: T::Err| Problem::invalid(name, expectation(&error)))
    }

    /// Whether a value of the query is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.query.iter().any(|(known, _)| known == name)
    }

    /// How many entries of a list are wanted.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let expected = || Problem::invalid("limit", format!("a whole number from 1 to {LIMIT_MAX}"));
        let limit = self.query::<usize>("limit").map_err(|_| expected())?.unwrap_or(LIMIT_DEFAULT);
        if (1..=LIMIT_MAX).contains(&limit) { Ok(limit) } else { Err(expected()) }
    }

    /// Where the list with this name goes on, if not at its beginning.
    pub(crate) fn cursor<T: FromStr>(&self, list: &str) -> Result<Option<T>, Problem> {
        let value = self.query.iter().find(|(name, _)| name == "cursor");
        value.map(|(_, value)| cursor::decode(list, value)).transpose()
    }
}

/// What a value should have been, from an error that reads `"x" is not <what it should be>`.
fn expectation(error: &impl Display) -> String {
    let message = error.to_string();
    match message.split_once(" is not ") {
        Some((_, expected)) => expected.to_owned(),
        None => message,
    }
}
