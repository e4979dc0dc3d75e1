//! Many random histories of a source through the functions, with faults, each judged at its end.

mod history;
mod report;
mod run;

pub use history::{HistoryOptions, HistoryOutcome, run_history};
pub use report::Report;
pub use run::{CampaignOptions, Progress, run_campaign};
