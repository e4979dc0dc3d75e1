//! The `contribution` command: reads its arguments and hands them to the library, which does all else.

use std::process::ExitCode;

use contribution::arguments::Arguments;
use contribution::commands;
use contribution::language::{error_in_words, say, tell};

/// A replay makes and drops millions of small values: with the system's allocator it spent a third of its time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::of_process();
    runtime::telemetry::init_for_terminal("error");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(commands::carry_out(arguments));
            // What is under way in another thread must not keep the process from ending.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            tell(format_args!("{}: {}", say("error", "错误"), error_in_words(&error)));
            ExitCode::FAILURE
        }
    }
}
