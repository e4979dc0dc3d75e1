//! The binary of the function `contribution-expiry`.

fn main() -> std::process::ExitCode {
    contribution_expiry::run()
}
