//! The verdict: whether all is well; if not, each problem, since when, and what to do.

mod text;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::heads::Network;
use domain::log::{PauseScope, Position, WebhookName};
use domain::{Amount, BusinessDate};
use serde::Serialize;
use store::audit::AuditReport;
use store::progress::Progress;
use store::snapshots::NegativeWait;

use crate::language::Language;
use crate::thresholds::Thresholds;
use crate::view::instant;

/// What is known of a ledger when it is judged.
pub(crate) struct Known<'a> {
    /// The time.
    pub(crate) now: DateTime<Utc>,
    /// When the oldest date that is not closed began, if one should be.
    pub(crate) unclosed_since: Option<DateTime<Utc>>,
    /// The log's network.
    pub(crate) network: &'a Network,
    /// The last page that every projection includes.
    pub(crate) projected: Position,
    /// How far the source was read.
    pub(crate) progress: &'a [Progress],
    /// Whether the brake holds withdrawals back.
    pub(crate) is_braking: bool,
    /// The date that cannot be published, if there is one.
    pub(crate) negative: Option<NegativeWait>,
    /// The latest audit's report, if there was one.
    pub(crate) audit: Option<&'a AuditReport>,
    /// The subscriptions to events that were stopped, and when.
    pub(crate) stopped_webhooks: &'a BTreeMap<WebhookName, DateTime<Utc>>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Verdict {
    /// All is well.
    Well,
    /// An operator should look at something.
    Attention,
    /// Something stands still, or is not right.
    Broken,
}

impl Verdict {
    /// Returns the exit code of a command that says it.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Attention => 1,
            Self::Broken => 2,
        }
    }
}

/// Something that is the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Partitions of a source are not known to be read to the present.
    SourceBehind { source: String, partitions: usize, read_through: Option<DateTime<Utc>> },
    /// The source's snapshot is being read.
    SnapshotGoesOn { partitions: usize },
    /// A date should be closed and is not.
    CloseOverdue { since: DateTime<Utc>, waits_for: Vec<String> },
    /// The guard stops a close.
    CloseSuspicious { date: BusinessDate, message: String },
    /// A date is closed and cannot be published, because HEADQUARTERS' row would be below zero.
    CloseNegative { date: BusinessDate, headquarters: Amount },
    /// The brake holds withdrawals back.
    Brake { waiting: u64 },
    /// The source truncated tables.
    Truncated { tables: usize },
    /// A kind of work is stopped by hand.
    Paused { scope: PauseScope, since: DateTime<Utc>, is_long: bool },
    /// The projections are behind the log.
    ProjectionsBehind { pages: u64 },
    /// A correction goes on for long.
    CorrectionGoesOn { since: DateTime<Utc> },
    /// A subscription to events was stopped, because its address did not take them.
    WebhookStopped { webhook: WebhookName, since: DateTime<Utc> },
    /// An audit found that the ledger is not what its rows say.
    AuditDifferences { count: u64, ended: DateTime<Utc> },
    /// Adoptions are held for a reason that only people can take away.
    Held { reason: ForPeople, count: u64 },
    /// Records were refused.
    Quarantined { count: u64 },
    /// No message shows whether some records are newer or older.
    Ambiguous { count: u64 },
}

/// Why an adoption is held, where only people can take that away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForPeople {
    /// The terms of its row cannot be used.
    InvalidTerms,
    /// An account on the way up from the adopter has no referral row.
    NoReferral,
    /// The way up from the adopter is a cycle.
    ReferralCycle,
    /// The head of an account cannot be read.
    AccountUnreadable,
}

/// Something that is the matter, as an answer shows it.
#[derive(Debug, Serialize)]
pub(crate) struct TroubleView {
    code: &'static str,
    severity: Verdict,
    /// Why adoptions are held, where that is the matter.
    reason: Option<&'static str>,
    what: String,
    since: Option<DateTime<Utc>>,
    next: &'static str,
}

impl ForPeople {
    const ALL: [Self; 4] =
        [Self::InvalidTerms, Self::NoReferral, Self::ReferralCycle, Self::AccountUnreadable];

    /// Returns its name on every wire: that of the hold's reason.
    fn code(self) -> &'static str {
        match self {
            Self::InvalidTerms => "INVALID_TERMS",
            Self::NoReferral => "NO_REFERRAL",
            Self::ReferralCycle => "REFERRAL_CYCLE",
            Self::AccountUnreadable => "ACCOUNT_UNREADABLE",
        }
    }
}

impl Trouble {
    /// Returns how bad it is.
    pub(crate) fn severity(&self) -> Verdict {
        match self {
            Self::CloseOverdue { .. }
            | Self::CloseNegative { .. }
            | Self::ProjectionsBehind { .. }
            | Self::SourceBehind { .. }
            | Self::AuditDifferences { .. }
            | Self::Held { reason: ForPeople::AccountUnreadable, .. } => Verdict::Broken,
            Self::SnapshotGoesOn { .. } => Verdict::Well,
            Self::Paused { is_long, .. } => {
                if *is_long {
                    Verdict::Broken
                } else {
                    Verdict::Attention
                }
            }
            Self::CloseSuspicious { .. }
            | Self::Truncated { .. }
            | Self::Brake { .. }
            | Self::CorrectionGoesOn { .. }
            | Self::WebhookStopped { .. }
            | Self::Held { .. }
            | Self::Quarantined { .. }
            | Self::Ambiguous { .. } => Verdict::Attention,
        }
    }

    /// Returns it as an answer shows it.
    pub(crate) fn view(&self, language: Language) -> TroubleView {
        TroubleView {
            code: self.code(),
            severity: self.severity(),
            reason: self.reason().map(ForPeople::code),
            what: self.what(language),
            since: self.since(),
            next: self.next(language),
        }
    }

    fn reason(&self) -> Option<ForPeople> {
        match self {
            Self::Held { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::SourceBehind { read_through, .. } => *read_through,
            Self::AuditDifferences { ended, .. } => Some(*ended),
            Self::CloseOverdue { since, .. }
            | Self::Paused { since, .. }
            | Self::WebhookStopped { since, .. }
            | Self::CorrectionGoesOn { since } => Some(*since),
            _ => None,
        }
    }
}

/// Returns everything that is the matter, the worst first.
pub(crate) fn troubles(known: &Known<'_>, thresholds: Thresholds) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    troubles.extend(of_source(known, thresholds));
    troubles.extend(of_close(known, thresholds));
    troubles.extend(of_work(known, thresholds));
    troubles.extend(known.audit.filter(|report| report.found.count > 0).map(of_audit));
    let stopped = known.stopped_webhooks.iter();
    troubles.extend(
        stopped.map(|(webhook, since)| Trouble::WebhookStopped { webhook: webhook.clone(), since: *since }),
    );
    troubles.extend(of_records(known));
    troubles.sort_by_key(|trouble| std::cmp::Reverse(trouble.severity()));
    troubles
}

fn of_source(known: &Known<'_>, thresholds: Thresholds) -> Vec<Trouble> {
    let in_use = |partition: &&Progress| !known.network.retired_sources.contains(&partition.name.source);
    let in_use: Vec<&Progress> = known.progress.iter().filter(in_use).collect();
    let in_snapshot = in_use.iter().filter(|partition| partition.in_snapshot).count();
    let mut troubles = Vec::new();
    if in_snapshot > 0 {
        troubles.push(Trouble::SnapshotGoesOn { partitions: in_snapshot });
    }
    // The slowest partition speaks for its source; one that is not known to be read at all is the slowest.
    let mut behind: BTreeMap<&str, (usize, Option<DateTime<Utc>>)> = BTreeMap::new();
    for partition in in_use.iter().filter(|partition| !partition.in_snapshot) {
        let read_through = partition.read_through_ms().map(instant);
        let lag = read_through.map(|read_through| (known.now - read_through).num_seconds());
        if lag.is_none_or(|lag_s| lag_s > thresholds.source_lag_seconds) {
            let (count, slowest) = behind.entry(&partition.name.source).or_insert((0, read_through));
            *count += 1;
            *slowest = (*slowest).min(read_through);
        }
    }
    let trouble = |(source, (partitions, read_through)): (&str, _)| Trouble::SourceBehind {
        source: source.to_owned(),
        partitions,
        read_through,
    };
    troubles.extend(behind.into_iter().map(trouble));
    troubles
}

fn of_close(known: &Known<'_>, thresholds: Thresholds) -> Vec<Trouble> {
    let network = known.network;
    let mut troubles = Vec::new();
    let waits = network.close_waits.as_ref();
    if let Some((date, reasons)) = waits
        && let Some(message) = reasons.iter().find_map(|reason| reason.strip_prefix("SUSPICIOUS: "))
    {
        troubles.push(Trouble::CloseSuspicious { date: *date, message: message.to_owned() });
    }
    if let Some(since) = known.unclosed_since
        && (known.now - since).num_minutes() > thresholds.close_overdue_minutes
    {
        let waits_for = waits.map(|(_, reasons)| reasons.clone()).unwrap_or_default();
        troubles.push(Trouble::CloseOverdue { since, waits_for });
    }
    let negative =
        |wait: NegativeWait| Trouble::CloseNegative { date: wait.date, headquarters: wait.headquarters };
    troubles.extend(known.negative.map(negative));
    troubles
}

fn of_work(known: &Known<'_>, thresholds: Thresholds) -> Vec<Trouble> {
    let network = known.network;
    let minutes_since = |since: DateTime<Utc>| (known.now - since).num_minutes();
    let mut troubles = Vec::new();
    let waiting = network.counts.orders_waiting + network.counts.adoptions_below_waiting;
    // What was let go within the hour brakes what comes next. While nothing waits, there is nothing to look at.
    if known.is_braking && waiting > 0 {
        troubles.push(Trouble::Brake { waiting });
    }
    if !network.truncates.is_empty() {
        troubles.push(Trouble::Truncated { tables: network.truncates.len() });
    }
    for (scope, since_ms) in &network.paused {
        let since = instant(*since_ms);
        let is_long = minutes_since(since) > thresholds.pause_minutes;
        troubles.push(Trouble::Paused { scope: *scope, since, is_long });
    }
    let pages = network.position.saturating_sub(known.projected);
    if pages > thresholds.projections_behind_pages {
        troubles.push(Trouble::ProjectionsBehind { pages });
    }
    if let Some(began_ms) = network.walks.values().map(|walk| walk.began_ms).min()
        && minutes_since(instant(began_ms)) > thresholds.correction_minutes
    {
        troubles.push(Trouble::CorrectionGoesOn { since: instant(began_ms) });
    }
    troubles
}

fn of_audit(report: &AuditReport) -> Trouble {
    Trouble::AuditDifferences { count: report.found.count, ended: instant(report.ended_ms) }
}

fn of_records(known: &Known<'_>) -> Vec<Trouble> {
    let held: &BTreeMap<String, u64> = &known.network.counts.held;
    let held = ForPeople::ALL.into_iter().filter_map(|reason| Some((reason, *held.get(reason.code())?)));
    let held = held.filter(|(_, count)| *count > 0);
    let mut troubles: Vec<Trouble> = held.map(|(reason, count)| Trouble::Held { reason, count }).collect();
    let sum = |count: fn(&Progress) -> u64| known.progress.iter().map(count).sum::<u64>();
    let quarantined = sum(|partition| partition.counts.quarantined);
    if quarantined > 0 {
        troubles.push(Trouble::Quarantined { count: quarantined });
    }
    let ambiguous = sum(|partition| partition.counts.ambiguous);
    if ambiguous > 0 {
        troubles.push(Trouble::Ambiguous { count: ambiguous });
    }
    troubles
}
