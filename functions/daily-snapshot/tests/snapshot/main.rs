//! The function over logs that are made by hand, through the events of its triggers.

mod cost;
mod refund;
mod restart;
mod support;
