//! The program as a person uses it, one process for each command.

mod ask;
mod operators_log;
mod outbound;
mod program;
mod proof;
mod replay;
mod texts;
