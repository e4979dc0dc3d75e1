//! Starts the function `adoption-distribution` on AWS. `lib.rs` says what it does and what it touches.

fn main() -> std::process::ExitCode {
    adoption_distribution::run()
}
