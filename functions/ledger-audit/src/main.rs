//! The binary of the function `ledger-audit`.

fn main() -> std::process::ExitCode {
    ledger_audit::run()
}
