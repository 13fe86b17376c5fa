//! Recipes on their way through files: what they may name, what they tell, and what is laid over them.

use impasto::read::read_recipe;
use serde_json::{Value, json};

use crate::workshop::{QUICK, Workshop, paint_arguments};

fn recipe(workshop: &Workshop, name: &str) -> Value {
    serde_json::from_str(&read_recipe(&workshop.path(name)).unwrap()).unwrap()
}

#[test]
fn a_recipe_reaches_into_no_folder() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("work")).unwrap();
    std::fs::create_dir(workshop.path("sub")).unwrap();
    for name in ["sub/photo.png", "work/photo.png", "work/painting.png"] {
        workshop.draw(name, 40, 30, 2);
    }
    let absolute = workshop.path("photo.png").to_str().unwrap().to_owned();
    let mut complaints = Vec::new();
    for name in ["../photo.png", "../sub/photo.png", "./photo.png", absolute.as_str()] {
        for (field, way_out) in [
            (json!({"content": name}), "give CONTENT on the command line"),
            (json!({"content": "photo.png", "styles": ["painting.png", name]}), "STYLE on the command line"),
            (json!({"content": "photo.png", "styles": ["painting.png"], "init": name}), "give --init"),
            (json!({"content": "photo.png", "styles": ["painting.png"], "weights": name}), "give --weights"),
        ] {
            std::fs::write(workshop.path("work/recipe.json"), field.to_string()).unwrap();
            let mut arguments = vec!["paint", "--recipe", "recipe.json", "-o", "out.png"];
            arguments.extend(QUICK);
            let mut command = workshop.command(&arguments);
            command.current_dir(workshop.path("work"));
            complaints.extend(workshop.complaints_about_refusal(command, 2, way_out));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    // What is typed takes the place of what the recipe names.
    let all = json!({"content": "/a", "styles": ["/b", "/c"], "init": "/d", "weights": "/e.mat"});
    std::fs::write(workshop.path("recipe.json"), all.to_string()).unwrap();
    workshop.paint("out.png", &["--recipe", "recipe.json", "--init", "work/photo.png", "--weights", "embedded"]);
    assert_eq!(recipe(&workshop, "out.png")["init"], "photo.png");
}

#[test]
fn a_recipe_does_not_tell_of_folders() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("private")).unwrap();
    for (name, frequency) in [("face.png", 1), ("canvas.png", 5), ("sketch.png", 3)] {
        workshop.draw(&format!("private/{name}"), 40, 30, frequency);
    }
    workshop.succeed(&["weights", "convert", "normalised", "private/mine.safetensors", "--as", "f16"]);
    let files = ["--init", "private/sketch.png", "--weights", "private/mine.safetensors"];
    let mut arguments = paint_arguments("private/out.png", &files);
    (arguments[1], arguments[2]) = ("private/face.png", "private/canvas.png");
    workshop.succeed(&arguments);
    let told = recipe(&workshop, "private/out.png");
    assert!(!told.to_string().contains("private"), "{told}");
    let expected = json!(["face.png", ["canvas.png"], "sketch.png", "mine.safetensors"]);
    assert_eq!(json!([told["content"], told["styles"], told["init"], told["weights"]]), expected);
    // Beside the recipe, all of them are found again.
    workshop.succeed(&["paint", "--recipe", "private/out.png", "-o", "again.png"]);
    assert!(workshop.bytes("private/out.png") == workshop.bytes("again.png"));
    // Called as what a recipe means something else by, a file could not be found again.
    std::fs::copy(workshop.path("photo.png"), workshop.path("noise")).unwrap();
    let ambiguous = workshop.command(&paint_arguments("out.png", &["--init", "./noise"]));
    let complaints = workshop.complaints_about_refusal(ambiguous, 2, "call the file something else");
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// What such a recipe leaves open is not today's preset, and that is said before work; what names its format, or was carried by a picture,
/// is left alone.
#[test]
fn a_recipe_of_no_format_is_told_what_it_means() {
    let workshop = Workshop::new();
    workshop.paint("carried.png", &[]);
    let format = impasto::recipe::FORMAT;
    let recipes = [
        ("bare.json", json!({ "seed": 3 }), true),
        ("today.json", json!({ "seed": 3, "format": format }), false),
        ("strength.json", json!({ "seed": 3, "strength": 1.0 }), false),
        ("authors.json", json!({ "seed": 3, "preset": "authors" }), false),
    ];
    for (name, recipe, _) in &recipes {
        std::fs::write(workshop.path(name), recipe.to_string()).unwrap();
    }
    let carried = ("carried.png", false);
    for (name, is_told) in recipes.iter().map(|(name, _, is_told)| (*name, *is_told)).chain([carried]) {
        let mut plan = vec!["plan", "photo.png", "painting.png", "--recipe", name];
        plan.extend(QUICK);
        for words in [plan, paint_arguments("out.png", &["--recipe", name])] {
            let output = workshop.run(&words);
            let said = String::from_utf8_lossy(&output.stderr);
            let told =
                format!("{name} names no format, so what it leaves open is the preset default of before 2026-11-28");
            assert!(output.status.success() && said.contains(&told) == is_told, "{words:?}: {said}");
        }
    }
}

#[test]
fn a_total_variation_that_is_typed_takes_the_place_of_a_recipe_s_denoise() {
    let workshop = Workshop::new();
    std::fs::write(workshop.path("recipe.json"), "{\"denoise\": 3, \"levels\": 1}").unwrap();
    let weight = |name: &str| recipe(&workshop, name)["tv_weight"].as_f64().unwrap();
    workshop.paint("out.png", &["--recipe", "recipe.json"]);
    assert!(weight("out.png") > 6.0);
    workshop.paint("out.png", &["--recipe", "recipe.json", "--tv-weight", "0.5"]);
    assert_eq!(weight("out.png"), 0.5);
    let sweep = ["sweep", "photo.png", "painting.png", "-o", "sheet.png", "--recipe", "recipe.json"];
    workshop.succeed(&[&sweep, QUICK.as_slice(), &["--vary", "tv-weight=0,2"]].concat());
    assert_eq!(weight("sheet-pictures/tv-weight=0.png"), 0.0);
    assert_eq!(weight("sheet-pictures/tv-weight=2.png"), 2.0);
}

#[test]
fn a_picture_tells_which_precision_it_was_painted_in() {
    let workshop = Workshop::new();
    let engine = |name: &str| recipe(&workshop, name)["engine"].as_str().unwrap().to_owned();
    workshop.paint("plain.png", &["--precision", "f32"]);
    assert!(engine("plain.png").starts_with("cpu ") && !engine("plain.png").contains(','), "{}", engine("plain.png"));
    let two_sizes = ["--size", "96", "--levels", "2", "--coarse-iterations", "2"];
    workshop.paint("auto.png", &[["--precision", "auto"].as_slice(), &two_sizes].concat());
    let told = engine("auto.png");
    assert!(told.ends_with(", f32") || told.ends_with(", bf16 at coarse sizes, then mixed"), "{told}");
    workshop.paint("one-size.png", &["--precision", "auto", "--levels", "1"]);
    let told = engine("one-size.png");
    assert!(told.ends_with(", f32") || told.ends_with(", mixed"), "{told}");
    // No processor's portable path has bfloat16 products: that is said, and written down.
    let mut command = workshop.command(&paint_arguments("portable.png", &["--precision", "bf16"]));
    let output = command.env("IMPASTO_ISA", "portable").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("portable has no bfloat16 products; painting in f32"), "{said}");
    assert_eq!(engine("portable.png"), "cpu portable, f32");
    // No processor keeps maps in half precision.
    let output = workshop.command(&paint_arguments("f16.png", &["--precision", "f16"])).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("--precision f16: only GPUs"), "{said}");
    assert!(engine("f16.png").starts_with("cpu ") && engine("f16.png").ends_with(", f32"), "{}", engine("f16.png"));
}

#[test]
fn a_recipe_in_utf_16_is_painted() {
    let workshop = Workshop::new();
    workshop.paint("plain.png", &["--seed", "7"]);
    let text = workshop.succeed(&["recipe", "plain.png"]);
    // As `impasto recipe PICTURE > recipe.json` leaves it in Windows PowerShell: a mark, two bytes a letter, CR LF.
    let units = std::iter::once(0xfeff).chain(text.replace('\n', "\r\n").encode_utf16().collect::<Vec<_>>());
    let (little, big): (Vec<_>, Vec<_>) = units.map(|unit: u16| (unit.to_le_bytes(), unit.to_be_bytes())).unzip();
    for (name, bytes) in [("little.json", little.concat()), ("big.json", big.concat())] {
        std::fs::write(workshop.path(name), bytes).unwrap();
        workshop.succeed(&["paint", "--recipe", name, "-o", "again.png"]);
        assert!(workshop.bytes("again.png") == workshop.bytes("plain.png"), "{name}");
    }
    let cut = [&workshop.bytes("little.json")[..], b"x"].concat();
    std::fs::write(workshop.path("cut.json"), cut).unwrap();
    let paint = workshop.command(&["paint", "--recipe", "cut.json", "-o", "out.png"]);
    let complaints = workshop.complaints_about_refusal(paint, 1, "cut.json is not a text");
    assert!(complaints.is_empty(), "{complaints:?}");
}
