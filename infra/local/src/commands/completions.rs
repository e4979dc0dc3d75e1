//! `contribution completions`: prints what a shell needs, and touches nothing.

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};

use super::show;
use crate::arguments::{Arguments, Completions, Shell};

/// Prints what a shell needs to complete this command's names and options.
pub(super) fn print(arguments: &Completions) -> Result<()> {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    match arguments.shell {
        Shell::Bash => generate(Bash, &mut command, name, &mut script),
        Shell::Zsh => generate(Zsh, &mut command, name, &mut script),
        Shell::Fish => generate(Fish, &mut command, name, &mut script),
    }
    show(&String::from_utf8(script)?)
}
