//! The binary of the function `daily-snapshot`.

fn main() -> std::process::ExitCode {
    daily_snapshot::run()
}
