//! Starts the function `contribution-expiry` on AWS. `lib.rs` says what it does and what it touches.

fn main() -> std::process::ExitCode {
    contribution_expiry::run()
}
