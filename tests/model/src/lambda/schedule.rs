//! Schedules that call a function, or send a message, at a rate.

use crate::clock::Millis;

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// How long from one call to the next.
    pub every_ms: Millis,
    /// What it calls.
    pub target: Target,
    /// Whether it is switched on.
    pub on: bool,
}

/// What a schedule calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A function.
    Function(String),
    /// A queue, which gets a message of this group whose body no other message has.
    Queue {
        /// The queue's name.
        name: String,
        /// The message's group.
        group: String,
    },
}

/// Reads `rate(n minutes)` and the like; nothing where the expression is another.
#[must_use]
pub fn parse_rate(expression: &str) -> Option<Millis> {
    let inner = expression.trim().strip_prefix("rate(")?.strip_suffix(')')?;
    let (count, unit) = inner.trim().split_once(' ')?;
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    let unit_ms = match unit.trim() {
        "minute" | "minutes" => 60_000,
        "hour" | "hours" => 3_600_000,
        "day" | "days" => 86_400_000,
        _ => return None,
    };
    Some(count * unit_ms)
}

#[cfg(test)]
mod tests {
    use super::parse_rate;

    #[test]
    fn rates_are_read_in_minutes_hours_and_days() {
        assert_eq!(parse_rate("rate(1 minute)"), Some(60_000));
        assert_eq!(parse_rate("rate(10 minutes)"), Some(600_000));
        assert_eq!(parse_rate("rate(2 hours)"), Some(7_200_000));
        assert_eq!(parse_rate("rate(0 minutes)"), None);
        assert_eq!(parse_rate("cron(0 * * * ? *)"), None);
    }
}
