//! Starts the function `ledger-stream` on AWS. `lib.rs` says what it does and what it touches.

fn main() -> std::process::ExitCode {
    ledger_stream::run()
}
