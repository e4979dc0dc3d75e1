//! Writes down each account's part of the network as of a business date, and closes the date.
//!
//! What is effective does not change until the date is closed, so that the rows are the same whoever
//! writes them, however often, and into however many segments the accounts are split. When the last
//! segment is done, the rows of system accounts follow, headquarters' with what rounding left over,
//! and one transaction closes the date and publishes its totals.

use aws_lambda_events::event::sqs::SqsBatchResponse;
use chrono::{DateTime, Utc};
use ledger::closing::{
    self, CloseError, CloseEvent, EXPIRY_QUEUE_VARIABLE, SNAPSHOT_QUEUE_VARIABLE, SegmentQueue, TIME_RESERVE,
    is_step_done,
};
use ledger::environment::{Environment, InvalidEnvironment};
use ledger::queue::{CloseMessage, CloseRequest};
use ledger::rules::{Amount, BusinessDate, CloseStep, Owner, Ratio, SystemAccount, ratio_remainder};
use ledger::store::{
    BatchWrite, CloseState, ClosedDates, DailySnapshotCreated, Holder, Holding, NetworkTotals, SnapshotRow,
    Transacted,
};
use ledger::telemetry::Metrics;

/// The name under which this function logs and counts.
pub const FUNCTION: &str = "daily-snapshot";

/// The function, built once per process.
#[derive(Debug)]
pub struct DailySnapshot {
    environment: Environment,
    own_queue: SegmentQueue,
    expiry_queue: SegmentQueue,
}

impl DailySnapshot {
    /// The function in this environment.
    pub fn new(environment: Environment) -> Result<Self, InvalidEnvironment> {
        Ok(Self {
            own_queue: SegmentQueue::new(&environment, SNAPSHOT_QUEUE_VARIABLE)?,
            expiry_queue: SegmentQueue::new(&environment, EXPIRY_QUEUE_VARIABLE)?,
            environment,
        })
    }

    /// Does what an event asks for: messages of the queue, or a call of the schedule.
    pub async fn handle(
        &self,
        event: CloseEvent,
        clock: impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<serde_json::Value, CloseError> {
        match event {
            CloseEvent::Messages(event) => {
                let mut response = SqsBatchResponse::default();
                for message in event.records {
                    let outcome = match closing::content(&message) {
                        Ok(CloseMessage::Begin(_)) => self.go_on(clock()).await,
                        Ok(CloseMessage::Segment { date, segment, .. }) => {
                            Box::pin(self.work_on(date, segment, &clock, deadline)).await
                        }
                        Err(error) => Err(error),
                    };
                    closing::note(&mut response, message, outcome);
                }
                Ok(serde_json::to_value(response)?)
            }
            CloseEvent::Call(_) => {
                self.go_on(clock()).await?;
                Ok(serde_json::Value::Null)
            }
        }
    }

    /// Sends segments again that were not done for long, and closes a date whose segments all are.
    async fn go_on(&self, now: DateTime<Utc>) -> Result<(), CloseError> {
        let store = &self.environment.store;
        let Some(state) = store.latest_close().await?.filter(|state| state.step == CloseStep::Snapshotting)
        else {
            return Ok(());
        };
        if is_step_done(store, &state, CloseStep::Snapshotting).await? {
            return self.finish(state, now).await;
        }
        self.own_queue.announce_again(store, &state, now).await
    }

    /// The close of a date, if its snapshot is being taken now.
    async fn open_snapshot(
        &self,
        date: BusinessDate,
    ) -> Result<Option<(CloseState, NetworkTotals)>, CloseError> {
        let state = self.environment.store.close(date).await?;
        let open = state.filter(|state| state.step == CloseStep::Snapshotting);
        Ok(open.and_then(|state| state.totals.map(|totals| (state, totals))))
    }

    /// Writes the rows of one segment's accounts, or as many as there is time for.
    async fn work_on(
        &self,
        date: BusinessDate,
        segment: u32,
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<(), CloseError> {
        let store = &self.environment.store;
        let step = CloseStep::Snapshotting;
        let Some((state, totals)) = self.open_snapshot(date).await? else { return Ok(()) };
        let network = totals.network()?;
        let mut progress = store.close_segment(date, step, segment).await?;
        while !progress.is_done() {
            let (holdings, next) = store.holdings_page((segment, state.segments), progress.start()).await?;
            // What was read is of this date only if the date is still open afterwards: whoever comes
            // late must not write a later date's amounts into a closed snapshot.
            if self.open_snapshot(date).await?.is_none() {
                return Ok(());
            }
            let mut rows: Vec<BatchWrite> = Vec::new();
            for holding in holdings {
                let Some(row) = user_row(date, network, holding) else { continue };
                progress.accounts += 1;
                progress.effective = progress.effective.checked_add(row.effective_contribution)?;
                progress.ratio = Some(sum_of(progress.ratio, row.contribution_ratio, date)?);
                rows.push(row.write());
            }
            store.batch_write(rows).await?;
            match next {
                None => {
                    progress.after = None;
                    progress.done = Some(true);
                }
                Some(next) => {
                    progress.after = Some((next.partition().to_owned(), next.sort().to_owned()));
                    if clock() >= deadline - TIME_RESERVE {
                        if !store.apply(progress.write_next(date, step, segment)?).await? {
                            // Somebody else works on it, or finished it.
                            return Ok(());
                        }
                        return self.own_queue.send(CloseMessage::Segment { date, step, segment }).await;
                    }
                }
            }
            if progress.is_done() {
                // Where it fails, somebody else wrote the same.
                let _ = store.apply(progress.write_next(date, step, segment)?).await?;
            }
        }
        if is_step_done(store, &state, step).await?
            && let Some((state, _)) = self.open_snapshot(date).await?
        {
            self.finish(state, clock()).await?;
        }
        Ok(())
    }

    /// Closes a date whose users' rows are all written.
    async fn finish(&self, state: CloseState, now: DateTime<Utc>) -> Result<(), CloseError> {
        let store = &self.environment.store;
        let date = state.date;
        let changed = || CloseError::EffectiveChanged { date };
        let totals = state.totals.ok_or_else(changed)?;
        let network = totals.network()?;
        let segments = store.close_segments(&state, CloseStep::Snapshotting).await?;
        let mut ratio = Ratio::ZERO;
        for segment in &segments {
            ratio = sum_of(Some(ratio), segment.ratio.unwrap_or(Ratio::ZERO), date)?;
        }
        let mut rows = Vec::new();
        for (account, share) in store.system_accounts().await? {
            if share.effective > Amount::ZERO {
                if share.effective > network {
                    return Err(changed());
                }
                let row = row(date, network, Owner::System(account), share.effective);
                ratio = sum_of(Some(ratio), row.contribution_ratio, date)?;
                rows.push(row);
            }
        }
        if self.open_snapshot(date).await?.is_none() {
            return Ok(());
        }
        let users = Amount::sum(segments.iter().map(|segment| segment.effective))?;
        let system = Amount::sum(rows.iter().map(|row| row.effective_contribution))?;
        if (NetworkTotals { users, system }) != totals {
            return Err(changed());
        }
        let remainder = ratio_remainder(network, ratio);
        if remainder != Ratio::ZERO {
            let headquarters = Owner::System(SystemAccount::Headquarters);
            match rows.iter_mut().find(|row| row.account == headquarters) {
                Some(row) => {
                    row.contribution_ratio = sum_of(Some(row.contribution_ratio), remainder, date)?;
                }
                None => rows.push(SnapshotRow {
                    contribution_ratio: remainder,
                    ..row(date, network, headquarters, Amount::ZERO)
                }),
            }
        }
        let created = DailySnapshotCreated {
            snapshot_date: date,
            network_total_contribution: network,
            user_total_contribution: users,
            system_total_contribution: system,
            user_count: segments.iter().map(|segment| segment.accounts).sum(),
            system_account_count: rows.len() as u64,
            closed_at_ms: now.timestamp_millis(),
        };
        store.batch_write(rows.iter().map(SnapshotRow::write).collect()).await?;
        let closed = CloseState {
            step: CloseStep::Closed,
            closed_at_ms: Some(now.timestamp_millis()),
            ..state.clone()
        };
        let dates = ClosedDates { first: state.first_date, last: date };
        let outcome = store.transact(vec![closed.write_next()?, dates.write()?, created.write()?]).await?;
        if outcome == Transacted::Committed {
            report(&created, &state, now);
            // A release without an end was meant for this date only.
            let release = state.release.filter(|_| state.until.is_some());
            let next = CloseRequest { until: state.until, release };
            self.expiry_queue.send(CloseMessage::Begin(next)).await?;
        }
        Ok(())
    }
}

/// A user's row; `None` if nothing of the account is effective, or if it is a system account's share.
fn user_row(date: BusinessDate, network: Amount, holding: Holding) -> Option<SnapshotRow> {
    match holding.holder {
        // More than the network cannot be of this date, and does not survive the comparison of totals.
        Holder::User(account) if holding.effective > Amount::ZERO => {
            Some(row(date, network, Owner::User(account), holding.effective))
        }
        Holder::User(_) | Holder::System(..) => None,
    }
}

fn row(date: BusinessDate, network: Amount, account: Owner, effective: Amount) -> SnapshotRow {
    SnapshotRow {
        snapshot_date: date,
        account,
        effective_contribution: effective,
        network_total_contribution: network,
        contribution_ratio: effective.min(network).ratio_of(network),
    }
}

/// The sum of ratios, which exceeds one only if the rows are not of the same network.
fn sum_of(sum: Option<Ratio>, ratio: Ratio, date: BusinessDate) -> Result<Ratio, CloseError> {
    sum.unwrap_or(Ratio::ZERO).checked_add(ratio).ok_or(CloseError::EffectiveChanged { date })
}

fn report(created: &DailySnapshotCreated, state: &CloseState, now: DateTime<Utc>) {
    tracing::info!(date = %created.snapshot_date, rows = created.user_count, "a business date is closed");
    Metrics::of(FUNCTION)
        .count("DatesClosed", 1)
        .count("SnapshotRows", created.user_count + created.system_account_count)
        .milliseconds("CloseDuration", now.timestamp_millis() - state.opened_at_ms)
        .property("date", created.snapshot_date.to_string())
        .emit(now.timestamp_millis());
}
