//! What is asked for: a route's parameters, checked.
//!
//! Touches: `Log` (reads), `Ledger` (reads), the clock.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::heads::Network;
use domain::log::Position;
use domain::{AccountSequence, BusinessDate, Owner, Policy};
use runtime::{Context, MembersSee, Settings};
use serde::de::DeserializeOwned;
use store::marks::{Marks, Projection};
use store::{Engine, Shard};

use crate::QueryApi;
use crate::access::Caller;
use crate::cursor::Cursor;
use crate::event::Event;
use crate::expected::Expected;
use crate::language::Language;
use crate::problem::Problem;
use crate::query::{AT_LEAST, Query};
use crate::view::masked;

/// How many entries of a list one answer has, unless `limit` says otherwise.
const LIMIT_DEFAULT: usize = 50;
/// How many entries of a list one answer has at most.
pub(crate) const LIMIT_MAX: usize = 200;
/// The values of a path's parameters, by their names in the contract.
pub(crate) type PathValues = Vec<(&'static str, String)>;

/// A request that may be answered.
pub(crate) struct Request<'a> {
    api: &'a QueryApi,
    pub(crate) context: &'a Context,
    pub(crate) caller: Option<Caller>,
    pub(crate) language: Language,
    event: &'a Event,
    path: PathValues,
    query: Vec<(String, String)>,
    place: Option<String>,
    marks: Marks,
}

impl<'a> Request<'a> {
    /// Returns a request with the values of its path and its checked query.
    pub(crate) fn new(
        api: &'a QueryApi,
        context: &'a Context,
        caller: Option<Caller>,
        path: PathValues,
        query: Query,
        event: &'a Event,
    ) -> Self {
        Self {
            api,
            context,
            caller,
            language: Language::of(event.header("accept-language")),
            event,
            path,
            query: query.values,
            place: query.place,
            marks: Marks::default(),
        }
    }

    /// Records how far the projections are, as read before anything else is.
    pub(crate) fn set_marks(&mut self, marks: Marks) {
        self.marks = marks;
    }

    /// Returns the last page of the log that everything read after the marks includes.
    pub(crate) fn position(&self) -> Position {
        self.marks.heads(self.settings().account_shards)
    }

    /// Returns up to which page an account's head stands that was read at `head`.
    pub(crate) fn position_of(&self, owner: &Owner, head: Position) -> Position {
        let shard = Shard::of(&owner.to_string(), self.settings().account_shards);
        head.max(self.marks.of(&Projection::Heads(shard)))
    }

    /// Returns how far the projections are.
    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Returns the tables.
    pub(crate) fn engine(&self) -> &'a dyn Engine {
        self.context.engine.as_ref()
    }

    /// Returns the deployment's settings.
    pub(crate) fn settings(&self) -> &'a Settings {
        &self.api.settings
    }

    /// Returns what the log says of the whole network, up to its last page.
    pub(crate) async fn network(&self) -> Result<Arc<Network>, Problem> {
        self.api.network.latest(self.engine(), self.settings()).await
    }

    /// Returns the policy that today's version of the rules has.
    pub(crate) fn policy_today<'n>(&self, network: &'n Network) -> &'n Policy {
        &network.versions.in_force(self.today()).policy
    }

    /// Returns when the request arrived.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.context.clock.now()
    }

    /// Returns the business time zone.
    pub(crate) fn zone(&self) -> Tz {
        self.settings().policy.business_time_zone()
    }

    /// Returns the business date now.
    pub(crate) fn today(&self) -> BusinessDate {
        BusinessDate::at(self.now(), self.zone()).expect("a clock that shows a date of the calendar")
    }

    /// Returns the member who asks, if it is one.
    pub(crate) fn member(&self) -> Option<&AccountSequence> {
        match &self.caller {
            Some(Caller::Member(account)) => Some(account),
            Some(Caller::Operator(_) | Caller::Stranger) | None => None,
        }
    }

    /// Returns whether the caller may read this account's name where another account's data mention it.
    pub(crate) fn may_name(&self, account: &AccountSequence) -> bool {
        match &self.caller {
            Some(Caller::Operator(_)) => true,
            Some(Caller::Member(own)) => own == account,
            Some(Caller::Stranger) | None => false,
        }
    }

    /// Returns an account as the caller may see it: whole, or with its middle hidden.
    pub(crate) fn name(&self, account: &AccountSequence) -> String {
        if self.may_name(account) || self.sees_others() { account.to_string() } else { masked(account) }
    }

    /// Returns whether the caller sees other members' accounts.
    pub(crate) fn sees_others(&self) -> bool {
        match &self.caller {
            Some(Caller::Operator(_)) => true,
            Some(Caller::Member(_)) => self.settings().members_see == MembersSee::Accounts,
            Some(Caller::Stranger) | None => false,
        }
    }

    /// Returns whether the caller sees other members' amounts.
    pub(crate) fn sees_amounts(&self) -> bool {
        matches!(self.caller, Some(Caller::Operator(_)))
    }

    /// Returns a header of the request.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.event.header(name)
    }

    /// Returns the body, read as JSON.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let invalid = |message: String| Problem::InvalidBody { message };
        let text = self.event.body().ok_or_else(|| invalid("the body is not text".to_owned()))?;
        serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))
    }

    /// Returns a value of the path.
    pub(crate) fn path<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<T, Problem> {
        let value = self.path.iter().find(|(known, _)| *known == name);
        let (_, value) = value.expect("a route asks for the parameters of its own path");
        value.parse().map_err(|error: T::Err| Problem::invalid(name, Expected::by_error(&error)))
    }

    /// Returns a value of the query, if it is given.
    pub(crate) fn query<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<Option<T>, Problem> {
        let value = self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.parse());
        value.transpose().map_err(|error: T::Err| Problem::invalid(name, Expected::by_error(&error)))
    }

    /// Returns a value of the query that must be given.
    pub(crate) fn required<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<T, Problem> {
        self.query(name)?.ok_or_else(|| Problem::invalid(name, Expected::new("given", "不可省略")))
    }

    /// Returns how many entries of a list are wanted.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let english = format!("a whole number from 1 to {LIMIT_MAX}");
        let chinese = format!("1 至 {LIMIT_MAX} 的整数");
        let expected = || Problem::invalid("limit", Expected::new(english.clone(), chinese.clone()));
        let limit = self.query::<usize>("limit").map_err(|_| expected())?.unwrap_or(LIMIT_DEFAULT);
        if (1..=LIMIT_MAX).contains(&limit) { Ok(limit) } else { Err(expected()) }
    }

    /// Returns the position that the answer must include, if one is given.
    pub(crate) fn at_least(&self) -> Result<Option<Position>, Problem> {
        let expected = || Expected::new("a position of the log", "日志位置");
        self.query::<Position>(AT_LEAST).map_err(|_| Problem::invalid(AT_LEAST, expected()))
    }

    /// Returns the place where the list goes on, if not at its beginning.
    pub(crate) fn place<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        self.place.as_deref().map(|place| place.parse().map_err(|_| Problem::InvalidCursor)).transpose()
    }

    /// Returns the cursor that goes on at a place of this list.
    pub(crate) fn cursor(&self, place: impl Display) -> String {
        let kept = self.query.iter().filter(|(name, _)| name != AT_LEAST);
        Cursor {
            path: self.event.path().to_owned(),
            query: kept.cloned().collect(),
            place: place.to_string(),
        }
        .encode()
    }
}
