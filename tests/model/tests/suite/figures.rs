//! The figures that the document shows are those that the model measures.

use model::measure::{MeasureOptions, Shape, measure};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../../docs/model.md");
/// What stands before the figures.
const BEGIN: &str = "```json small measurement\n";

fn of_document() -> Value {
    let (_, rest) = DOCUMENT.split_once(BEGIN).expect("the document shows the small measurement");
    let (figures, _) = rest.split_once("```").expect("the block ends");
    serde_json::from_str(figures).expect("the block is JSON")
}

#[test]
fn the_small_measurement_gives_the_figures_of_the_document() {
    let options = MeasureOptions {
        shape: Shape::Recent,
        accounts: 2_000,
        rate: 20,
        minutes: 1,
        seed: 1,
        percent: 100,
        warm: 40_000,
        with_standstill: false,
        trees: 1,
    };
    let measured = measure(&options).to_json();
    assert_eq!(measured, of_document(), "the document has to say: {measured:#}");
}
