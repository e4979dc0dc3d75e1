//! Numbers of figures: counts as floating point, and three digits after the point. They are for reading, never amounts.

#[expect(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
pub(super) fn as_f64(count: usize) -> f64 {
    count as f64
}

/// Returns a number with three digits after the point.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}
