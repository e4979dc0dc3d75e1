//! The price book: the place at which an adoption without a price was made (rules, section 3).

use super::Decider;
use super::inputs::Progress;
use super::state::Need;
use crate::log::{Cause, Entry};

impl Decider {
    /// Decides the place of the smallest order that waits for one, if its turn has come.
    ///
    /// Its turn comes once every partition of the orders has been read past its commit by the reorder window.
    /// Places are decided in ascending order, so an order whose turn has not come blocks every later one.
    pub(super) fn place_next(&mut self) -> Result<bool, Vec<Need>> {
        let Some((order, unpriced)) = self.state.network.unpriced.first_key_value() else {
            return Ok(false);
        };
        let (order, committed_ms) = (*order, unpriced.committed_by_ms());
        let read_through_ms = self.inputs.progress.as_ref().and_then(Progress::read_through_ms);
        let turn_ms = committed_ms.saturating_add(self.parameters.reorder_window_ms);
        if read_through_ms.is_none_or(|read_through_ms| read_through_ms < turn_ms) {
            return Ok(false);
        }
        self.state.adoption(order)?;
        let trees_before = self.state.trees_before(order)?;
        self.push(Entry::Placed { order, trees_before, read_through_ms });
        self.begin_to_correct(order, Cause::Price);
        self.complete_begun()
    }
}
