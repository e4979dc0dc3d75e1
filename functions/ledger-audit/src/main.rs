//! Starts the function `ledger-audit` on AWS. `lib.rs` says what it does and what it touches.

fn main() -> std::process::ExitCode {
    ledger_audit::run()
}
