//! Talent: teams, levels, and what has still to be propagated.
//!
//! | what | key in `Ledger` |
//! |---|---|
//! | an account's team and level | `TALENT#<account>` / `HEAD` |
//! | an earlier change of its level | `TALENT_CHANGES#<account>` / `<number>` |
//! | a change that has still to be propagated from an account | `TALENT_MARKS#<shard>` / `<account>#<kind>` |
//! | which accounts an invocation is about to write | `TALENT_INTENTS#<shard>` / `<number>` |
//! | a level that waits for its user | `TALENT_AWAITING#<shard>` / `<account>#<since>` |
//! | an account that is active until a time | `TALENT_ACTIVE#<shard>` / `<time>#<account>` |
//! | which table of levels is in force | `TALENT_STATE` / `STATE` |

mod intents;
mod lists;
mod marks;
mod record;
mod shards;
mod state;

pub use intents::{INTENT_ACCOUNTS_MAX, Intent, intents, put_intent, remove_intent};
pub use lists::{
    ActiveUntil, Awaiting, active_until_past, awaiting, put_active_until, put_awaiting, remove_active_until,
    remove_awaiting,
};
pub use marks::{Mark, MarkKind, clear, raise, raised, raised_on};
pub use record::{
    Confirmed, LevelChange, StoredTalent, TakenIn, Talent, TalentCause, changes, knows_account, put,
    put_change, read, read_all, record_of, scan,
};
pub use shards::TalentShards;
pub use state::{TablePass, TalentState, put_state, state};

use crate::engine::{BoxFuture, Engine, StoreError};

/// Returns whether every change that was read from the log has been propagated: no mark and no intent is left.
pub fn is_settled(engine: &dyn Engine, shards: TalentShards) -> BoxFuture<'_, Result<bool, StoreError>> {
    Box::pin(async move {
        Ok(raised(engine, shards, 1).await?.is_empty() && intents(engine, shards, 1).await?.is_empty())
    })
}
