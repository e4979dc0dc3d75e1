//! Tests of the command line.

use clap::CommandFactory as _;

use super::*;

#[test]
fn the_command_line_is_consistent_and_suggests_what_was_meant() {
    Arguments::command().debug_assert();
    let mistyped = Arguments::try_parse_from(["contribution", "repaly", "x"]).unwrap_err().to_string();
    assert!(mistyped.contains("replay"), "{mistyped}");
    let mistyped = Arguments::try_parse_from(["contribution", "replay", "x", "--as-off", "2026-02-10"]);
    assert!(mistyped.unwrap_err().to_string().contains("--as-of"));
}

#[test]
fn every_profile_that_is_suggested_exists() {
    let error = profile_text("buit-in").unwrap_err().to_string();
    assert!(error.contains("did you mean built-in?"), "{error}");
    for name in ["built-in", "guide", "guide-planting-orders", "flattened-deployment"] {
        assert!(Profile::named(name).is_some(), "{name}");
    }
}
