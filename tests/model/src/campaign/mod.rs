//! Many random histories of a source through the functions, with faults, each judged while it goes on and at its end.

mod act;
mod agenda;
mod clients;
mod cycles;
mod deliveries;
mod ending;
mod feed;
mod history;
mod mutate;
mod rare;
mod report;
mod returning_order;
mod run;
mod script;
mod setting;
mod shadow;
mod shrink;
mod situations;
mod source;
mod subscriptions;
mod watcher;

pub use history::{HistoryOptions, HistoryOutcome, run_history};
pub use mutate::{Candidate, Caught, MutateOptions, enumerate, known_seeds, mutate};
pub use report::{EVERY_SITUATION_FROM, Report, finding_lines};
pub use run::{CampaignOptions, Progress, run_campaign};
pub use script::{InvalidScript, Script, Without};
pub use shrink::{RUNS_MAX, shrink};
pub use situations::{NAMED, Situations};
