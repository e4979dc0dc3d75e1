//! `GET /v1/events`: what the log tells other services, from any place on.
//!
//! Any number of readers each keep their own place, and may read any period again.

use std::collections::BTreeSet;

use domain::events::Event;
use domain::log::{EventPlace, EventType};
use serde::Serialize;
use store::events::{self, Wanted};

use crate::access::Access;
use crate::answer::Answer;
use crate::expected::Expected;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/events",
    access: Access::Operator,
    parameters: &["after", "until", "type", "limit"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct EventsView {
    events: Vec<Event>,
    /// After which place to go on.
    next: EventPlace,
    /// Whether these are all there are at present.
    is_last: bool,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let types = request.query::<String>("type")?.map_or_else(|| Ok(BTreeSet::new()), |text| types(&text))?;
    let wanted = Wanted {
        after: request.query("after")?.unwrap_or(EventPlace::START),
        until: request.query("until")?,
        types,
        limit: request.limit()?,
    };
    let network = request.network().await?;
    let page = events::read(request.engine(), &network.versions, wanted, request.position()).await?;
    Ok(Answer::json(&EventsView { events: page.events, next: page.next, is_last: page.is_last }))
}

/// Returns the kinds of events in a text with commas between them.
fn types(text: &str) -> Result<BTreeSet<EventType>, Problem> {
    let expected = || {
        let names = EventType::ALL.map(EventType::name).join(", ");
        let english = format!("kinds of events with commas between them: {names}");
        Problem::invalid("type", Expected::new(english, format!("事件类型，以逗号分隔：{names}")))
    };
    text.split(',').map(|name| name.parse().map_err(|_| expected())).collect()
}
