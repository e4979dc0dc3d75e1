//! The binary of the function `webhook-delivery`.

fn main() -> std::process::ExitCode {
    webhook_delivery::run()
}
