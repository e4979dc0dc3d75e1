//! Takes in the commands of operators: carries each out, or refuses it.

use super::Decider;
use super::inputs::CommandInput;
use super::state::Need;
use crate::log::{AdjustmentTerms, Cause, Command, CommandOutcome, Entry, PauseScope, Paused};
use crate::{Amount, OrderId, OrderRange, VersionTerms};

impl Decider {
    /// Carries out the next command, or refuses it. Either way it stands in the log.
    pub(super) fn take_in_command(&mut self) -> Result<bool, Vec<Need>> {
        let Some(input) = self.inputs.commands.front().cloned() else { return Ok(false) };
        if !self.state.network.commands.contains_key(&input.idempotency_key) {
            let outcome = match self.refusal(&input.command)? {
                None => self.outcome(&input.command, input.change.as_ref())?,
                Some(reason) => CommandOutcome::Refused { reason },
            };
            let CommandInput { idempotency_key, by, reason, command, .. } = input;
            let is_done = outcome.is_done();
            self.push(Entry::Commanded { idempotency_key, by, reason, command: command.clone(), outcome });
            if is_done {
                self.carry_out(command);
            }
        }
        self.inputs.commands.pop_front();
        Ok(true)
    }

    /// Returns why a command is refused, if it is. Everything that carrying it out needs is in memory then.
    fn refusal(&self, command: &Command) -> Result<Option<String>, Vec<Need>> {
        Ok(match command {
            Command::Introduce(terms) => {
                let mut versions = self.state.network.versions.clone();
                versions.introduce((**terms).clone()).err().map(|error| error.to_string())
            }
            Command::Adjust(terms) => self.refusal_of_adjustment(terms)?,
            Command::TakeOverPlaces { places } => self.refusal_of_places(places)?,
            Command::Repair { order: Some(order) } => {
                self.state.adoption(*order)?;
                None
            }
            Command::LetGo { what } => self.refusal_of_letting_go(what),
            Command::Rejected { why, .. } => Some(why.clone()),
            Command::Close { .. }
            | Command::Repair { order: None }
            | Command::Pause { .. }
            | Command::Resume { .. }
            | Command::RetireSource { .. }
            | Command::Note { .. }
            | Command::Webhook { .. } => None,
        })
    }

    fn refusal_of_adjustment(&self, terms: &AdjustmentTerms) -> Result<Option<String>, Vec<Need>> {
        if terms.amount <= Amount::ZERO {
            return Ok(Some("an adjustment moves an amount above zero".to_owned()));
        }
        if terms.giver == terms.receiver {
            return Ok(Some("an adjustment needs two accounts".to_owned()));
        }
        if terms.expire_date.is_some_and(|expire| expire <= terms.effective_date) {
            return Ok(Some("an adjustment cannot expire before it is effective".to_owned()));
        }
        let giver = &terms.giver;
        Ok(match self.state.total(giver)? {
            None => Some(format!("what {giver} has cannot be read: rebuild the account, then ask again")),
            Some(total) if total < terms.amount => {
                Some(format!("{giver} has {total}, less than {}", terms.amount))
            }
            Some(_) => None,
        })
    }

    fn refusal_of_letting_go(&self, what: &Paused) -> Option<String> {
        match what {
            Paused::Brake => None,
            Paused::SuspiciousClose { date } => (*date > self.today())
                .then(|| format!("{date} has not begun, so that no close of it is suspicious")),
            Paused::Truncate { key } => (!self.state.network.truncates.contains_key(key))
                .then(|| format!("no table that was truncated waits under {key}")),
        }
    }

    fn refusal_of_places(&self, places: &[(OrderId, u64)]) -> Result<Option<String>, Vec<Need>> {
        let mut missing = Vec::new();
        let mut conflict = None;
        for (order, trees_before) in places {
            match self.state.adoption(*order) {
                Err(needs) => missing.extend(needs),
                Ok(head) => {
                    let decided = head.trees_before.filter(|decided| decided != trees_before);
                    conflict = conflict.or_else(|| decided.map(|decided| (*order, decided)));
                }
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        let message =
            |(order, decided)| format!("order {order} has its place already: {decided} trees before it");
        Ok(conflict.map(message))
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Introduce(terms) => self.introduce(*terms),
            Command::Adjust(terms) => self.push(Entry::Adjusted(terms)),
            Command::Repair { order: Some(order) } => self.begin_to_correct(order, Cause::Repair),
            Command::Repair { order: None } => self.begin_walk_over(OrderRange::ALL, Cause::Repair),
            Command::TakeOverPlaces { places } => self.take_over(places),
            // These are carried out by what the network makes of the entry.
            Command::Close { .. }
            | Command::LetGo { .. }
            | Command::Pause { .. }
            | Command::RetireSource { .. }
            | Command::Note { .. }
            | Command::Rejected { .. }
            | Command::Webhook { .. } => {}
            Command::Resume { scope } => match scope {
                PauseScope::Posting => self.resume_posting(),
                // Waits that are over by now go as well.
                PauseScope::Corrections => self.due_looked_at = false,
                PauseScope::Closing => self.close_looked_at = false,
            },
        }
    }

    /// Introduces a version, and has what it judges compared again if any of that may be posted.
    fn introduce(&mut self, terms: VersionTerms) {
        let number = terms.number;
        self.push(Entry::VersionIntroduced(Box::new(terms)));
        if self.state.network.counts.orders_seen > 0 {
            self.begin_walk_over(OrderRange::ALL, Cause::Version { number });
        }
    }

    /// Takes over places, and has the orders between them compared if any of them is there already.
    fn take_over(&mut self, places: Vec<(OrderId, u64)>) {
        let mut seen: Vec<OrderId> = Vec::new();
        for (order, trees_before) in places {
            let head = self.state.adoption(order).expect("it was loaded to see whether it is refused");
            if head.trees_before.is_none() {
                seen.extend(head.is_seen.then_some(order));
                self.push(Entry::Placed { order, trees_before, read_through_ms: None });
            }
        }
        if let Some((first, last)) = seen.iter().min().zip(seen.iter().max()) {
            let to = OrderRange::only(*last).to;
            self.begin_walk_over(OrderRange { from: *first, to }, Cause::Price);
        }
    }

    /// Has compared what was held while posting was stopped.
    fn resume_posting(&mut self) {
        if let Some(orders) = self.state.network.held_back {
            self.begin_walk_over(orders, Cause::Row);
        }
    }
}
