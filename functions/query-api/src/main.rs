//! The Lambda entry point of `query-api`.

fn main() -> std::process::ExitCode {
    query_api::run()
}
