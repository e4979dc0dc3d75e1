//! The oracle judges worked examples, captures, cases from the field and random histories as the rules say.
//!
//! One program, so that one is linked.

mod cases;
mod command;
mod generated;
mod golden;
mod rules;
