//! The binary of the function `ledger-stream`.

fn main() -> std::process::ExitCode {
    ledger_stream::run()
}
