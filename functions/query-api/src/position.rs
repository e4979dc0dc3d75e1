//! Waits until the heads are as far as an answer must be.
//!
//! Touches: `Ledger` (reads), the clock.

use std::time::Duration;

use domain::log::Position;
use runtime::Context;
use store::marks::{self, Marks};

use crate::problem::Problem;

/// For how long a caller is kept waiting for a position.
const WAIT: Duration = Duration::from_secs(2);
/// After which time the marks are looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Returns how far the projections are, once they include `at_least`.
///
/// It waits briefly for that, and says the position there is where it waited in vain.
pub(crate) async fn marks_at_least(
    context: &Context,
    shards: u32,
    at_least: Option<Position>,
) -> Result<Marks, Problem> {
    let engine = context.engine.as_ref();
    let until = context.clock.now() + WAIT;
    loop {
        let marks = marks::read(engine).await?;
        let position = marks.heads(shards);
        match at_least {
            Some(at_least) if position < at_least => {
                if context.clock.now() >= until {
                    return Err(Problem::Behind { at_least, position });
                }
                context.clock.sleep(LOOK_AGAIN).await;
            }
            _ => return Ok(marks),
        }
    }
}
