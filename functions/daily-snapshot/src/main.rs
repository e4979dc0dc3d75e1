//! Starts the function `daily-snapshot` on AWS. `lib.rs` says what it does and what it touches.

fn main() -> std::process::ExitCode {
    daily_snapshot::run()
}
