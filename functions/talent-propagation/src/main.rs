//! The binary of the function `talent-propagation`.

fn main() -> std::process::ExitCode {
    talent_propagation::run()
}
