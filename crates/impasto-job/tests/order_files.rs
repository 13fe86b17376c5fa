//! An order is written down as its recipe and the places of its files, and made again of these.

use std::path::PathBuf;

use impasto::Recipe;
use impasto::recipe::{ChangedFields, Region, Start, TimelineEntry, parse_layers};
use impasto_job::Order;
use impasto_job::order::{OrderFiles, ResolvedOrder};

#[test]
fn an_order_is_made_again_of_its_recipe_and_files() {
    let region = |mask: &str| Region { name: "sky".to_owned(), mask: Some(mask.to_owned()), ..Region::default() };
    let set = ChangedFields { regions: Some(vec![region("b/later.png")]), ..ChangedFields::default() };
    let recipe = Recipe {
        init: Some(Start::File(PathBuf::from("b/start.png"))),
        regions: Some(vec![region("b/sky.png")]),
        emphasis: Some("b/face.png".to_owned()),
        style_masks: Some(vec![None, Some("b/part.png".to_owned())]),
        style_layers: Some(parse_layers("--style-layers", "conv1_1").unwrap()),
        timeline: Some(vec![TimelineEntry { before_evaluation: 2, set }]),
        ..Recipe::default()
    };
    let styles = vec![PathBuf::from("b/one.png"), PathBuf::from("b/two.png")];
    let order = Order { content: Some("a/photo.png".into()), styles, recipe, ..Order::default() };
    let resolved = order.resolve().unwrap();
    let files = resolved.files();
    assert_eq!(files.all().count(), 1 + 2 + 1 + 3 + 3);
    let again = ResolvedOrder::of_files(&resolved.recipe, &files).unwrap();
    assert_eq!((again.files(), &again.recipe), (files.clone(), &resolved.recipe));
    for wrong in [
        OrderFiles { styles: Vec::new(), ..files.clone() },
        OrderFiles { start: None, ..files.clone() },
        OrderFiles { masks: Vec::new(), ..files.clone() },
        OrderFiles { timeline_masks: Vec::new(), ..files.clone() },
        OrderFiles { weights: Some("w.safetensors".into()), ..files },
    ] {
        assert!(ResolvedOrder::of_files(&resolved.recipe, &wrong).is_err(), "{wrong:?}");
    }
}
