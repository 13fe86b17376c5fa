//! `texture`, `reconstruct` and `sweep`: the commands of the paper's figures.

use std::path::Path;

use impasto::read::{ReadLimits, read_picture, read_recipe};
use impasto::recipe::{Balance, Start, StyleLoss};
use impasto::{Recipe, ResolvedRecipe};
use impasto_vgg::Pooling;

use crate::workshop::Workshop;

pub const QUICK: [&str; 8] = ["--size", "32", "--levels", "1", "--iterations", "3", "--weights", "embedded"];

fn run(workshop: &Workshop, command: &[&str], more: &[&str]) -> String {
    workshop.succeed(&[command, &QUICK, more].concat())
}

fn recipe(workshop: &Workshop, name: &str) -> ResolvedRecipe {
    Recipe::from_json(&read_recipe(&workshop.path(name)).unwrap()).unwrap().resolve().unwrap()
}

#[test]
fn a_texture_knows_no_photo_and_a_reconstruction_no_painting() {
    let workshop = Workshop::new();
    run(&workshop, &["texture", "painting.png", "-o", "texture.png"], &["--style-layers", "conv1_1"]);
    let texture = recipe(&workshop, "texture.png");
    assert!(texture.counted_content_layers().is_empty() && texture.counted_style_layers().len() == 1);
    run(&workshop, &["reconstruct", "photo.png", "-o", "content.png", "--layer", "conv2_2"], &[]);
    let content = recipe(&workshop, "content.png");
    assert!(content.counted_style_layers().is_empty());
    let layers = content.counted_content_layers();
    assert_eq!(layers.iter().map(|(layer, _)| layer.name()).collect::<Vec<_>>(), ["conv2_2"]);
}

#[test]
fn a_reconstruction_from_the_first_layers_is_the_photo() {
    let workshop = Workshop::new();
    let read = |name: &str| read_picture(&workshop.path(name), &ReadLimits::default()).unwrap().picture;
    let photo = read("photo.png");
    let distance_after = |iterations: &str| {
        let more = ["--layer", "conv1_2", "--size", "40", "--weights", "embedded", "--iterations", iterations];
        workshop.succeed(&[&["reconstruct", "photo.png", "-o", "back.png"], &more[..]].concat());
        let back = read("back.png");
        photo.values.iter().zip(&back.values).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
    };
    // The first evaluation is of the white noise itself.
    let (noise, back) = (distance_after("1"), distance_after("60"));
    assert!(back < noise / 2.0, "{back} of {noise}");
}

#[test]
fn all_layers_are_five_pictures() {
    let workshop = Workshop::new();
    run(&workshop, &["texture", "painting.png", "-o", "t.png", "--all-layers"], &["--quiet"]);
    run(&workshop, &["reconstruct", "photo.png", "-o", "c.jpg", "--all-layers"], &["--quiet"]);
    for block in 1..=5 {
        let layers = recipe(&workshop, &format!("t-conv{block}_1.png")).counted_style_layers();
        assert_eq!(layers.len(), block);
        assert!((layers.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(workshop.path(&format!("c-conv{block}_2.jpg")).exists());
    }
}

pub const SWEEP: [&str; 9] = [
    "sweep",
    "photo.png",
    "painting.png",
    "-o",
    "sheet.png",
    "--content-layers",
    "conv2_2",
    "--style-layers",
    "conv1_1",
];

#[test]
fn a_sweep_paints_each_picture_once_and_goes_on_with_what_is_there() {
    let workshop = Workshop::new();
    let more = ["--vary", "ratio=1e-3,1e-1", "--vary", "init=content,noise:1,noise:2"];
    run(&workshop, &SWEEP, &more);
    let names = |workshop: &Workshop| {
        let mut names: Vec<_> = std::fs::read_dir(workshop.path("sheet-pictures"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&workshop).len(), 6, "{:?}", names(&workshop));
    let second = recipe(&workshop, "sheet-pictures/ratio=1e-1-init=noise_2.png");
    assert_eq!((second.content_weight, second.style_weight, second.seed), (0.1, 1.0, 2));
    let sheet = read_picture(&workshop.path("sheet.png"), &ReadLimits::default()).unwrap().picture;
    // Three pictures across and two down, of 32 x 24 pixels.
    assert!(sheet.width > 3 * 32 && sheet.height > 2 * 24 && sheet.width < 4 * 40, "{}", sheet.width);

    // One is lost, one is of another recipe, the others are kept as they are.
    let lost = workshop.path("sheet-pictures/ratio=1e-3-init=content.png");
    let other = workshop.path("sheet-pictures/ratio=1e-3-init=noise_1.png");
    let before = workshop.files();
    std::fs::remove_file(&lost).unwrap();
    std::fs::copy(workshop.path("sheet-pictures/ratio=1e-3-init=noise_2.png"), &other).unwrap();
    let kept = workshop.path("sheet-pictures/ratio=1e-1-init=content.png");
    let written = |path: &std::path::Path| std::fs::metadata(path).unwrap().modified().unwrap();
    let time = written(&kept);
    run(&workshop, &SWEEP, &more);
    assert_eq!(workshop.files(), before);
    assert_eq!(written(&kept), time);
}

#[test]
fn a_sweep_in_proportion_finds_its_pictures_again() {
    let workshop = Workshop::new();
    // How many of both were there.
    let sweep = |layers: &str| {
        let more = ["--style-layers", layers, "--size", "32", "--iterations", "3", "--levels", "1"];
        let more = [&more[..], &["--preset", "default", "--vary", "strength=0.5,1"]].concat();
        let output = workshop.run(&[&SWEEP[..7], &more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        said.matches("is there already").count()
    };
    assert_eq!(sweep("conv1_1=1"), 0);
    let [half, one] =
        ["0.5", "1"].map(|strength| recipe(&workshop, &format!("sheet-pictures/strength={strength}.png")));
    assert_eq!((half.balance, 4.0 * half.style_weight), (Balance::Plain, one.style_weight));
    assert_eq!(sweep("conv1_1=1"), 2);
    // Another weight of a layer is another picture, though pictures carry plain ones.
    assert_eq!(sweep("conv1_1=3"), 0);
    assert_eq!(sweep("conv1_1=3"), 2);
}

#[test]
fn the_figures_choices_are_what_the_paper_varies() {
    let workshop = Workshop::new();
    run(&workshop, &SWEEP[..5], &["--vary", "content-layer=conv1_2,conv2_2", "--style-layers", "conv1_1"]);
    for layer in ["conv1_2", "conv2_2"] {
        let varied = recipe(&workshop, &format!("sheet-pictures/content-layer={layer}.png"));
        let layers = varied.counted_content_layers();
        assert_eq!(layers.iter().map(|(layer, _)| layer.name()).collect::<Vec<_>>(), [layer]);
    }
    run(&workshop, &SWEEP, &["--vary", "init=content,style,noise:1,noise:2"]);
    run(&workshop, &SWEEP, &["--vary", "style-loss=gram,wasserstein,mean-variance", "--style-weight", "3"]);
    let losses = ["gram", "wasserstein", "mean-variance"];
    let varied = losses.map(|loss| recipe(&workshop, &format!("sheet-pictures/style-loss={loss}.png")).style_loss);
    assert_eq!(varied, [StyleLoss::Gram, StyleLoss::Wasserstein, StyleLoss::MeanVariance]);
    let pictures = losses.map(|loss| workshop.bytes(&format!("sheet-pictures/style-loss={loss}.png")));
    assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2] && pictures[0] != pictures[2]);
    let started = ["content", "style", "noise_1", "noise_2"]
        .map(|start| recipe(&workshop, &format!("sheet-pictures/init={start}.png")))
        .map(|recipe| (recipe.init, recipe.seed));
    assert_eq!(started, [(Start::Content, 0), (Start::Style, 0), (Start::Noise, 1), (Start::Noise, 2)]);
}

#[test]
fn photoreal_is_figure_7() {
    let workshop = Workshop::new();
    let small = ["--size", "32", "--iterations", "3", "--style-layers", "conv1_1", "--content-layers", "conv2_2"];
    let paint = ["paint", "photo.png", "painting.png", "-o", "real.png", "--preset", "photoreal"];
    workshop.succeed(&[paint.as_slice(), &small].concat());
    let real = recipe(&workshop, "real.png");
    assert_eq!((real.init, real.content_weight, real.style_weight), (Start::Content, 1e-2, 1.0));
    assert_eq!((real.weights.as_str(), real.pool), ("normalised", Pooling::Average));
}

#[test]
fn a_sweep_that_cannot_be_is_one_sentence_before_any_work() {
    let workshop = Workshop::new();
    let cases: Vec<(&str, Vec<&str>)> = vec![
        ("--vary", vec![]),
        ("cannot be varied", vec!["--vary", "colour=1"]),
        ("not a number", vec!["--vary", "ratio=much"]),
        ("\"wasserstein\" is the nearest", vec!["--vary", "style-loss=gram,waserstein"]),
        ("conv9_9", vec!["--vary", "content-layer=conv4_2,conv9_9"]),
        ("same thing twice", vec!["--vary", "seed=1", "--vary", "seed=2"]),
        ("two directions", vec!["--vary", "seed=1", "--vary", "ratio=2", "--vary", "style-scale=1"]),
        ("two pictures", vec!["--vary", "init=a/b.png,a_b.png"]),
        ("--content-weight", vec!["--vary", "ratio=-1"]),
        ("sets --content-weight too", vec!["--vary", "ratio=1,2", "--vary", "content-weight=1,2"]),
        ("sets --style-weight too", vec!["--vary", "style-weight=1,2", "--vary", "ratio=1,2"]),
        ("leave them out", vec!["--vary", "ratio=1,2", "--style-weight", "5"]),
        ("--denoise", vec!["--vary", "tv-weight=1,2", "--denoise"]),
        ("sets --seed too", vec!["--vary", "seed=1,2", "--vary", "init=content,noise:1"]),
    ];
    let complaints: Vec<String> = cases
        .iter()
        .flat_map(|(needle, more)| {
            let command = workshop.command(&[&SWEEP, more.as_slice()].concat());
            workshop.complaints_about_refusal(command, 2, needle)
        })
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The mean squared difference of each value to the mean of its four neighbours.
fn high_frequency_energy(picture: &impasto::Picture) -> f32 {
    let (width, height) = (picture.width, picture.height);
    let of_plane = |plane: &[f32]| -> f32 {
        let places = (1..height - 1).flat_map(|y| (1..width - 1).map(move |x| y * width + x));
        let detail =
            |at: usize| plane[at] - (plane[at - 1] + plane[at + 1] + plane[at - width] + plane[at + width]) / 4.0;
        places.map(|at| detail(at).powi(2)).sum()
    };
    (0..3).map(|channel| of_plane(picture.plane(channel))).sum::<f32>() / (3 * (width - 2) * (height - 2)) as f32
}

#[test]
fn denoise_takes_half_of_the_noise_and_costs_no_style() {
    let workshop = Workshop::new();
    // A photograph and a painting: that noise is no part of a style is not true of every made-up pair of pictures.
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
    let [photo, painting] = ["astronaut.png", "whirls.jpg"].map(|name| assets.join(name).to_str().unwrap().to_owned());
    let few = ["--style-layers", "conv1_1,conv2_1,conv3_1", "--content-layers", "conv3_2"];
    let paint = |preset: &str, more: &[&str]| {
        let words = ["paint", &photo, &painting, "-o", "out.png", "--json", "--size", "64", "--levels", "1"];
        let preset = ["--iterations", "80", "--preset", preset];
        let lines = workshop.succeed(&[&words[..], &preset, more].concat());
        let losses = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let style = losses.filter_map(|line| line["style"].as_f64()).next_back().unwrap();
        let picture = read_picture(&workshop.path("out.png"), &ReadLimits::default()).unwrap().picture;
        (high_frequency_energy(&picture), style)
    };
    let noise = [&few[..], &["--init", "noise"]].concat();
    // Presets that start from noise, and `default` from noise, which has some total variation by itself.
    let cases: [(&str, &[&str], &[&str]); 3] =
        [("paper", &few, &[]), ("tutorial", &[], &[]), ("default", &noise, &["--tv-weight", "0"])];
    for (preset, shared, without) in cases {
        let (noisy, style_before) = paint(preset, &[shared, without].concat());
        let (calm, style_after) = paint(preset, &[shared, &["--denoise"]].concat());
        println!("{preset}: {noisy} to {calm}, style {style_before} to {style_after}");
        assert!(calm < noisy / 2.0, "{preset}: {calm} of {noisy}");
        assert!(style_after < 1.03 * style_before, "{preset}: {style_after} of {style_before}");
    }
}
