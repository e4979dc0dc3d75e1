//! `GET /v1/sync-status`: how far the source was read, what is in hand, and what waits for what.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::heads::Network;
use domain::log::{PauseScope, Position, WalkId, WalkPlace, WalkScope};
use domain::snapshot::Unpublishable;
use domain::{BusinessDate, Owner};
use serde::Serialize;
use store::progress::{self, Counts, Progress};
use store::snapshots::{self, NegativeWait};

use super::adoption::CauseView;
use crate::access::Access;
use crate::answer::Answer;
use crate::language::Language;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::instant;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/sync-status",
    access: Access::Operator,
    parameters: &[],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct SyncStatusView {
    read_at: DateTime<Utc>,
    business_time_zone: String,
    partitions: Vec<PartitionView>,
    records: CountsView,
    log: LogView,
    adoptions: AdoptionsView,
    corrections: Vec<WalkView>,
    brake: BrakeView,
    paused: BTreeMap<PauseScope, DateTime<Utc>>,
    close: CloseView,
    retired_sources: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PartitionView {
    source: String,
    topic: String,
    partition: i32,
    next_offset: Option<i64>,
    in_snapshot: bool,
    is_retired: bool,
    last_read_at: Option<DateTime<Utc>>,
    last_changed_at: Option<DateTime<Utc>>,
    /// Everything that the source committed up to here was read.
    read_through: Option<DateTime<Utc>>,
    records: CountsView,
}

#[derive(Debug, Serialize)]
pub(super) struct CountsView {
    applied: u64,
    duplicated: u64,
    older: u64,
    ambiguous: u64,
    control: u64,
    pub(super) quarantined: u64,
}

#[derive(Debug, Serialize)]
struct LogView {
    /// The last page.
    end: Position,
    decided_at: Option<DateTime<Utc>>,
    /// The last page that every projection includes.
    projected: Position,
}

#[derive(Debug, Serialize)]
struct AdoptionsView {
    seen: u64,
    posted: u64,
    unpriced: usize,
    held: BTreeMap<String, u64>,
    corrections: u64,
    withdrawals: u64,
}

/// Adoptions that are being compared again.
#[derive(Debug, Serialize)]
struct WalkView {
    id: String,
    below: Option<Owner>,
    cause: CauseView,
    began_at: DateTime<Utc>,
    /// The order or the account that was compared last.
    at: Option<String>,
}

#[derive(Debug, Serialize)]
struct BrakeView {
    limit: Option<u64>,
    orders_waiting: u64,
    uplines_waiting: u64,
    adoptions_below_waiting: u64,
    let_go_within_the_hour: u64,
    is_braking: bool,
}

#[derive(Debug, Serialize)]
struct CloseView {
    last_closed_date: Option<BusinessDate>,
    cut: Option<Position>,
    asked_until: Option<BusinessDate>,
    waiting_date: Option<BusinessDate>,
    waiting_for: Vec<String>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let (progress, (_, negative)) =
        futures::try_join!(progress::read(request.engine()), snapshots::latest_and_wait(request.engine()))?;
    let network = request.network().await?;
    let mut records = Counts::default();
    for partition in &progress {
        records.add(partition.counts);
    }
    let counts = &network.counts;
    let partition = |progress| PartitionView::new(progress, &network);
    Ok(Answer::momentary_json(&SyncStatusView {
        read_at: request.now(),
        business_time_zone: request.zone().name().to_owned(),
        partitions: progress.into_iter().map(partition).collect(),
        records: records.into(),
        log: LogView {
            end: network.position,
            decided_at: (network.position > 0).then(|| instant(network.time_ms)),
            projected: request.position(),
        },
        adoptions: AdoptionsView {
            seen: counts.orders_seen,
            posted: counts.posted,
            unpriced: network.unpriced.len(),
            held: counts
                .held
                .iter()
                .filter(|(_, count)| **count > 0)
                .map(|(name, count)| (name.clone(), *count))
                .collect(),
            corrections: counts.corrections,
            withdrawals: counts.withdrawals,
        },
        corrections: network.walks.iter().take(100).map(|(id, walk)| WalkView::new(*id, walk)).collect(),
        brake: BrakeView::new(request, &network),
        paused: network.paused.iter().map(|(scope, since_ms)| (*scope, instant(*since_ms))).collect(),
        close: CloseView::new(&network, negative, request.language),
        retired_sources: network.retired_sources.iter().cloned().collect(),
    }))
}

impl PartitionView {
    fn new(progress: Progress, network: &Network) -> Self {
        Self {
            read_through: progress.read_through_ms().map(instant),
            is_retired: network.retired_sources.contains(&progress.name.source),
            source: progress.name.source,
            topic: progress.name.topic,
            partition: progress.name.partition,
            next_offset: progress.next_offset,
            in_snapshot: progress.in_snapshot,
            last_read_at: progress.read_at_ms.map(instant),
            last_changed_at: progress.streamed_ms.map(instant),
            records: progress.counts.into(),
        }
    }
}

impl From<Counts> for CountsView {
    fn from(counts: Counts) -> Self {
        let Counts { applied, duplicated, older, ambiguous, control, quarantined } = counts;
        Self { applied, duplicated, older, ambiguous, control, quarantined }
    }
}

impl WalkView {
    fn new((page, number): WalkId, progress: &domain::heads::WalkProgress) -> Self {
        let below = match &progress.walk.scope {
            WalkScope::Below { root, .. } => Some(Owner::User(root.clone())),
            WalkScope::Everywhere => None,
        };
        let at = match &progress.place {
            WalkPlace::Start => None,
            WalkPlace::Path(path) => path.last().map(ToString::to_string),
            WalkPlace::Order(order) => Some(order.to_string()),
        };
        Self {
            id: format!("{page}-{number}"),
            below,
            cause: CauseView::from(&progress.walk.cause),
            began_at: instant(progress.began_ms),
            at,
        }
    }
}

impl BrakeView {
    fn new(request: &Request<'_>, network: &Network) -> Self {
        let counts = &network.counts;
        let let_go = network.brake.let_go_within_the_hour(request.now().timestamp_millis());
        Self {
            limit: request.settings().decisions.brake_adoptions,
            orders_waiting: counts.orders_waiting,
            uplines_waiting: counts.uplines_waiting,
            adoptions_below_waiting: counts.adoptions_below_waiting,
            let_go_within_the_hour: let_go,
            is_braking: is_braking(request, network),
        }
    }
}

/// Returns whether so much waits, or was let go within the hour, that an operator has to look.
pub(super) fn is_braking(request: &Request<'_>, network: &Network) -> bool {
    let counts = &network.counts;
    let now_ms = request.now().timestamp_millis();
    let let_go = network.brake.let_go_within_the_hour(now_ms);
    let concerned = let_go + counts.orders_waiting + counts.adoptions_below_waiting;
    let is_released = network.brake.released_ms.is_some_and(|at_ms| now_ms - at_ms < 60_000);
    let limit = request.settings().decisions.brake_adoptions;
    !is_released && limit.is_some_and(|limit| concerned > limit)
}

impl CloseView {
    fn new(network: &Network, negative: Option<NegativeWait>, language: Language) -> Self {
        // What cannot be published is before what is not closed.
        let negative = negative.map(|wait| {
            let reason = Unpublishable::Negative { headquarters: wait.headquarters };
            (wait.date, vec![reason.to_string()])
        });
        let waits = negative.as_ref().or(network.close_waits.as_ref());
        let reasons = waits.map(|(_, reasons)| reasons.as_slice()).unwrap_or_default();
        Self {
            last_closed_date: network.closed.as_ref().map(|closed| closed.terms.date),
            cut: network.closed.as_ref().map(|closed| closed.cut),
            asked_until: network.close_asked.map(|asked| asked.until),
            waiting_date: waits.map(|(date, _)| *date),
            waiting_for: reasons.iter().map(|reason| language.translate(reason)).collect(),
        }
    }
}
