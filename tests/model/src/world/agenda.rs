//! What is going to happen, in order of time; what falls together, in the order in which it was planned.

use std::collections::BTreeMap;

use crate::clock::Millis;

#[derive(Debug)]
pub(super) struct Agenda<E> {
    events: BTreeMap<(Millis, u64), E>,
    planned: u64,
}

impl<E> Agenda<E> {
    pub(super) fn push(&mut self, at_ms: Millis, event: E) {
        self.planned += 1;
        self.events.insert((at_ms, self.planned), event);
    }

    pub(super) fn next_ms(&self) -> Option<Millis> {
        self.events.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    /// Takes the next event, if it happens at `until_ms` at the latest.
    pub(super) fn pop(&mut self, until_ms: Millis) -> Option<(Millis, E)> {
        self.next_ms().filter(|at_ms| *at_ms <= until_ms)?;
        self.events.pop_first().map(|((at_ms, _), event)| (at_ms, event))
    }
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self { events: BTreeMap::new(), planned: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Agenda;

    #[test]
    fn events_come_in_order_of_time_and_then_of_planning() {
        let mut agenda = Agenda::default();
        agenda.push(5, "b");
        agenda.push(3, "a");
        agenda.push(5, "c");
        agenda.push(9, "d");
        let mut order = Vec::new();
        while let Some((_, event)) = agenda.pop(5) {
            order.push(event);
        }
        assert_eq!(order, ["a", "b", "c"]);
        assert_eq!(agenda.next_ms(), Some(9));
    }
}
