//! Finds which table of levels is in force.
//!
//! The state in storage says it, so that all work by the same one. The invocation that finds that the date or the
//! versions say something else changes the state, and with it begins a comparison of all accounts. Work that began by
//! the table before reads the state again before it removes its intents and marks.
//!
//! Touches: `Ledger` (reads, writes), the clock.

use domain::{BusinessDate, TalentTable, Version, VersionNumber, Versions};
use runtime::Context;
use store::StoreError;
use store::talent::{self, TablePass, TalentState};

use crate::{PropagationError, TalentPropagation};

/// The version of the rules whose table is in force.
pub(crate) struct TalentStandards {
    version: Version,
}

impl TalentStandards {
    /// Returns the table.
    pub(crate) fn table(&self) -> &TalentTable {
        self.version.policy.talent()
    }

    /// Returns the number of the version.
    pub(crate) fn number(&self) -> VersionNumber {
        self.version.terms.number
    }

    /// Returns whether it is still the table of this version that is in force.
    pub(crate) async fn are_in_force(&self, context: &Context) -> Result<bool, StoreError> {
        Ok(talent::state(&*context.engine).await?.version == self.number())
    }
}

impl TalentPropagation {
    /// Returns which table is in force, by the state in storage, after that was brought up to date.
    pub(crate) async fn standards(&self, context: &Context) -> Result<TalentStandards, PropagationError> {
        let engine = &*context.engine;
        loop {
            let state = talent::state(engine).await?;
            let versions = self.versions_of(&state);
            let today = BusinessDate::at(context.clock.now(), self.zone);
            // Clocks differ; a date that has come does not go again.
            let date = today.max(state.date);
            let in_force = date.map_or_else(|| versions.iter().next(), |date| Some(versions.in_force(date)));
            let version = in_force.expect("there is a first version").clone();
            if state.version == version.terms.number && state.date == date {
                return Ok(TalentStandards { version });
            }
            let before = versions.numbered(state.version).map(|before| before.policy.talent());
            let differs = before.is_some_and(|before| before != version.policy.talent());
            let next = TalentState {
                date,
                version: version.terms.number,
                asks_for_activity: version.policy.talent().asks_for_activity(),
                pass: if differs { Some(TablePass::default()) } else { state.pass.clone() },
                ..state
            };
            // Another invocation may have written it first. Then the loop reads what that one wrote.
            talent::put_state(engine, &next).await?;
        }
    }

    fn versions_of(&self, state: &TalentState) -> Versions {
        let mut versions = self.versions.clone();
        for terms in &state.versions {
            versions.introduce(terms.clone()).expect("the log introduces versions in their order");
        }
        versions
    }
}
