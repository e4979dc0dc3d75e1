//! The binary of the function `adoption-distribution`.

fn main() -> std::process::ExitCode {
    adoption_distribution::run()
}
