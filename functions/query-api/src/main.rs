//! Starts the function `query-api` on AWS. `lib.rs` says what it does and what it touches.

fn main() -> std::process::ExitCode {
    query_api::run()
}
