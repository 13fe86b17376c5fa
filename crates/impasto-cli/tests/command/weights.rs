//! `weights`: list, fetch, convert, normalise, verify.

use std::path::Path;

use impasto::Picture;
use impasto::calibration::{images_of, mean_activations};
use impasto::read::{ReadLimits, read_picture};
use impasto_vgg::{CpuEngine, CpuOptions, Layer, Weights};
use serde_json::Value;

use crate::workshop::{Workshop, paint_arguments};

fn picture(workshop: &Workshop, name: &str) -> Picture {
    read_picture(&workshop.path(name), &ReadLimits::default()).unwrap().picture
}

fn verify(workshop: &Workshop, weights: &str) -> Value {
    serde_json::from_str(&workshop.succeed(&["weights", "verify", weights, "--json"])).unwrap()
}

#[test]
fn what_there_is_is_listed() {
    let workshop = Workshop::new();
    let text = workshop.succeed(&["weights", "list"]);
    for needle in ["embedded", "normalised", "vgg19", "impasto weights fetch vgg19"] {
        assert!(text.contains(needle), "{needle}: {text}");
    }
    let lines = workshop.succeed(&["weights", "list", "--json"]);
    let names = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["embedded", "normalised", "vgg19"]);
}

#[test]
fn converted_weights_are_the_same_network() {
    let workshop = Workshop::new();
    let embedded = verify(&workshop, "embedded");
    assert_eq!((&embedded["ok"], &embedded["from_embedded"]), (&true.into(), &0.0.into()));
    workshop.succeed(&["weights", "convert", "embedded", "held.safetensors"]);
    assert_eq!(verify(&workshop, "held.safetensors")["answer"], embedded["answer"]);
    workshop.succeed(&["weights", "convert", "held.safetensors", "half.safetensors", "--as", "f16"]);
    let half = verify(&workshop, "half.safetensors");
    assert_ne!(half["answer"], embedded["answer"]);
    assert!(half["from_embedded"].as_f64().unwrap() < 1e-3, "{half}");
    // Half precision takes half the bytes of 20,018,880 kernel values in f32.
    assert!(workshop.bytes("half.safetensors").len() < 41_000_000);
    let told = workshop.succeed(&["weights", "verify", "normalised"]);
    assert!(told.contains("the normalised release, bit for bit"), "{told}");
    assert!(told.contains("conv1_1  [64, 3, 3, 3]") && told.contains("conv5_4  [512, 512, 3, 3]"), "{told}");
}

/// What has to be said of the filters that never fire on these images: each by its place, a line a layer.
fn said_of_dead_filters(folder: &Path, long_edge: usize) -> Vec<String> {
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions::default()).unwrap();
    let means = mean_activations(&engine, &images_of(folder).unwrap(), long_edge, &mut |_| {}).unwrap();
    let mut lines: Vec<(Layer, Vec<String>)> = Vec::new();
    for filter in means.dead_filters() {
        match lines.last_mut() {
            Some((layer, channels)) if *layer == filter.layer => channels.push(filter.channel.to_string()),
            _ => lines.push((filter.layer, vec![filter.channel.to_string()])),
        }
    }
    assert!(
        lines.len() > 1 && lines.iter().any(|(_, channels)| channels.len() > 1),
        "small stripes leave filters dead"
    );
    let line = |(layer, channels): (Layer, Vec<String>)| {
        let (count, all, names) = (channels.len(), layer.channels(), channels.join(", "));
        format!(
            "impasto: {layer}: {count} of {all} filters never fired on these images and keep their weights ({names})"
        )
    };
    lines.into_iter().map(line).collect()
}

#[test]
fn weights_normalised_by_a_folder_of_images_paint() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("images")).unwrap();
    for name in ["photo.png", "painting.png"] {
        std::fs::copy(workshop.path(name), workshop.path("images").join(name)).unwrap();
    }
    let output =
        workshop.run(&["weights", "normalise", "--images", "images", "-o", "mine.safetensors", "--size", "32"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.lines().map(str::to_owned).collect::<Vec<_>>(), said_of_dead_filters(&workshop.path("images"), 32));
    assert!(verify(&workshop, "mine.safetensors")["from_embedded"].as_f64().unwrap() > 0.1);
    workshop.paint("mine.png", &["--weights", "mine.safetensors"]);
    workshop.paint("theirs.png", &["--weights", "normalised"]);
    assert_ne!(workshop.bytes("mine.png"), workshop.bytes("theirs.png"));
    workshop.succeed(&["bench", "--size", "24", "--iterations", "1", "--weights", "normalised"]);
    workshop.succeed(&paint_arguments("paper.png", &["--preset", "paper"]));
}

/// Weights in f32 whose first layer is none of the release's: its values in the reverse order, and the same with blue first.
fn trained_anew(workshop: &Workshop) {
    workshop.succeed(&["weights", "convert", "embedded", "release.safetensors", "--as", "f32"]);
    let mut bytes = workshop.bytes("release.safetensors");
    let header_bytes = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..header_bytes]).unwrap();
    let offsets = &header["conv1_1.weight"]["data_offsets"];
    let place = |end: usize| header_bytes + offsets[end].as_u64().unwrap() as usize;
    let kernel = &mut bytes[place(0)..place(1)];
    let mut values: Vec<[u8; 4]> = kernel.as_chunks::<4>().0.to_vec();
    values.reverse();
    kernel.copy_from_slice(values.as_flattened());
    std::fs::write(workshop.path("red-first.safetensors"), &bytes).unwrap();
    for filter in values.chunks_exact_mut(27) {
        let (red, rest) = filter.split_at_mut(9);
        red.swap_with_slice(&mut rest[9..]);
    }
    bytes[place(0)..place(1)].copy_from_slice(values.as_flattened());
    std::fs::write(workshop.path("blue-first.safetensors"), &bytes).unwrap();
}

#[test]
fn the_order_of_channels_is_said_where_a_file_does_not_show_it() {
    let workshop = Workshop::new();
    trained_anew(&workshop);
    let paint = |name: &str, weights: &str, more: &[&str]| {
        let output = workshop.run(&paint_arguments(name, &[&["--weights", weights], more].concat()));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        (picture(&workshop, name), said)
    };
    let (red, said) = paint("red.png", "red-first.safetensors", &[]);
    assert!(!said.contains("first layer"), "{said}");
    let (blue, _) = paint("blue.png", "blue-first.safetensors", &[]);
    assert!(red != blue, "the test must see what it is about");
    let bgr = ["--weights-input", "bgr"];
    let (turned, said) = paint("turned.png", "blue-first.safetensors", &bgr);
    assert!(turned == red && said.contains("takes blue first, as --weights-input says"), "{said}");
    // The recipe has it, and other weights do without.
    let recipe = workshop.succeed(&["recipe", "turned.png"]);
    assert!(recipe.contains("\"weights_input\": \"bgr\""), "{recipe}");
    assert!(!workshop.succeed(&["recipe", "red.png"]).contains("weights_input"));
    workshop.succeed(&["paint", "--recipe", "turned.png", "-o", "again.png"]);
    assert!(picture(&workshop, "again.png") == red);
    workshop.succeed(&["paint", "--recipe", "turned.png", "-o", "again.png", "--weights", "red-first.safetensors"]);
    assert!(picture(&workshop, "again.png") == red);
    // What is known is said, and the word is taken nevertheless.
    let (plain, _) = paint("plain.png", "release.safetensors", &[]);
    let (against, said) = paint("against.png", "release.safetensors", &bgr);
    assert!(against != plain && said.contains("the original release's and takes red first, but blue first"), "{said}");
    // Weights inside the program, and our own form, are known.
    let (embedded, _) = paint("embedded.png", "embedded", &[]);
    let (told, said) = paint("embedded.png", "embedded", &bgr);
    assert!(told == embedded && said.contains("--weights-input is for files"), "{said}");
    workshop.succeed(&["weights", "convert", "embedded", "own.safetensors"]);
    let (told, said) = paint("own.png", "own.safetensors", &bgr);
    assert!(told == embedded && said.contains("in impasto's own form"), "{said}");
    // Converted once, it need not be said again.
    let convert = ["weights", "convert", "blue-first.safetensors", "mine.safetensors"];
    workshop.succeed(&[&convert[..], &bgr].concat());
    assert!(paint("mine.png", "mine.safetensors", &[]).0 == red);
    let complaints = workshop.complaints_about_refusal(
        workshop.command(&paint_arguments("out.png", &["--weights-input", "gbr"])),
        2,
        "--weights-input",
    );
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn what_cannot_be_done_is_one_sentence() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("empty")).unwrap();
    // The cache folder is made before the network is asked.
    std::fs::create_dir(workshop.path("cache")).unwrap();
    std::fs::write(workshop.path("cache").join("imagenet-vgg-verydeep-19.mat.part"), "").unwrap();
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/vgg19.mat", listener.local_addr().unwrap())
    };
    let cases: Vec<(i32, &str, Vec<&str>)> = vec![
        (2, "takes vgg19", vec!["fetch", "vgg16"]),
        (2, "no http or https address", vec!["fetch", "vgg19", "--url", "ftp://127.0.0.1:1/vgg19.mat"]),
        (1, "check the network", vec!["fetch", "vgg19", "--url", "https://127.0.0.1:1/vgg19.mat"]),
        (1, "check the network", vec!["fetch", "vgg19", "--quiet", "--url", &nobody]),
        (2, ".safetensors", vec!["convert", "embedded", "out.mat"]),
        (2, "--as", vec!["convert", "embedded", "out.safetensors", "--as", "f8"]),
        (1, "photo.png", vec!["convert", "photo.png", "out.safetensors"]),
        (1, "nowhere.mat", vec!["verify", "nowhere.mat"]),
        (1, "impasto weights list", vec!["verify", "embeded"]),
        (1, "weights fetch vgg19", vec!["verify", "vgg19"]),
        (1, "nowhere", vec!["normalise", "--images", "nowhere", "-o", "out.safetensors"]),
        (1, "no image was given", vec!["normalise", "--images", "empty", "-o", "out.safetensors"]),
    ];
    let complaints: Vec<String> = cases
        .iter()
        .flat_map(|(status, needle, arguments)| {
            let command = workshop.command(&[vec!["weights"], arguments.clone()].concat());
            workshop.complaints_about_refusal(command, *status, needle)
        })
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
