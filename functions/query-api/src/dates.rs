//! Pages of closed business dates.

use ledger::rules::BusinessDate;
use ledger::store::ClosedDates;

use crate::cursor;
use crate::problem::Problem;
use crate::request::Request;

/// The query parameters of every list by date.
pub(crate) const PARAMETERS: &[&str] = &["from", "to", "cursor", "limit"];
/// How many dates are listed unless `from` says otherwise.
const DATES_DEFAULT: usize = 30;

/// A page of closed dates.
#[derive(Debug, Default)]
pub(crate) struct DatePage {
    /// The dates, ascending, all of them closed.
    pub(crate) dates: Vec<BusinessDate>,
    /// The cursor of the next page.
    pub(crate) next_cursor: Option<String>,
}

impl DatePage {
    /// The closed dates that a request asks for: those from `from` to `to`, the latest ones by default.
    pub(crate) async fn of(request: &Request<'_>, list: &str) -> Result<Self, Problem> {
        let limit = request.limit()?;
        let (from, to) = (request.query::<BusinessDate>("from")?, request.query::<BusinessDate>("to")?);
        let start = request.cursor::<BusinessDate>(list)?;
        let Some(ClosedDates { first: earliest, last: latest }) = request.store().closed_dates().await?
        else {
            return Ok(Self::default());
        };
        let latest = to.map_or(latest, |to| to.min(latest));
        let mut from = from.unwrap_or_else(|| {
            std::iter::successors(Some(latest), |date| (*date > earliest).then(|| date.previous()))
                .take(DATES_DEFAULT)
                .last()
                .unwrap_or(earliest)
        });
        from = from.max(earliest).max(start.unwrap_or(earliest));
        let mut dates: Vec<BusinessDate> = std::iter::successors(Some(from), |date| Some(date.next()))
            .take_while(|date| *date <= latest)
            .take(limit + 1)
            .collect();
        let next_cursor = dates.get(limit).map(|date| cursor::encode(list, date));
        dates.truncate(limit);
        Ok(Self { dates, next_cursor })
    }
}
