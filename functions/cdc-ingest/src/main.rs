//! Starts the function `cdc-ingest` on AWS. `lib.rs` says what it does and what it touches.

fn main() -> std::process::ExitCode {
    cdc_ingest::run()
}
