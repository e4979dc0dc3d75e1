//! Starts the function `webhook-delivery` on AWS. `lib.rs` says what it does and what it touches.

fn main() -> std::process::ExitCode {
    webhook_delivery::run()
}
