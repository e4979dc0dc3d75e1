//! The binary of the function `cdc-ingest`.

fn main() -> std::process::ExitCode {
    cdc_ingest::run()
}
