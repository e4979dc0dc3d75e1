//! Runs the model: conformance scripts, campaigns and measurements.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use model::conformance::{Suite, run_script};

/// A model of the service in virtual time.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the scripts of a file and says how many hold.
    Conformance {
        /// The file.
        file: PathBuf,
        /// Runs only the scripts with these ids.
        #[arg(long)]
        only: Vec<String>,
    },
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let result = match command {
        Command::Conformance { file, only } => conformance(&file, &only),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs scripts, prints each expectation that does not hold, and tells whether all held.
fn conformance(file: &std::path::Path, only: &[String]) -> anyhow::Result<bool> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut suite = Suite::parse(&text)?;
    if !only.is_empty() {
        suite.scripts.retain(|script| only.contains(&script.id));
    }
    let mut passed = 0;
    for script in &suite.scripts {
        let failures = run_script(script);
        passed += usize::from(failures.is_empty());
        for failure in failures {
            println!("{failure}");
        }
    }
    println!("{passed} of {}", suite.scripts.len());
    Ok(passed == suite.scripts.len())
}
