//! Starts the function `talent-propagation` on AWS. `lib.rs` says what it does and what it touches.

fn main() -> std::process::ExitCode {
    talent_propagation::run()
}
