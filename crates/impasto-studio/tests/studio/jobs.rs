//! A job over HTTP, from its images to its files.

use std::path::Path;
use std::sync::Arc;

use impasto::Control;
use impasto::read::{ReadLimits, decode_picture, read_recipe};
use impasto::recipe::Recipe;
use impasto_job::{DeviceChoice, Engines, Files, Job, Order};
use serde_json::{Value, json};

use crate::support::{Stream, Workshop, picture, recipe};

/// The same as the workshop orders, painted without a studio into this file.
fn paint_alone(folder: &Path, iterations: u32, output: &Path) {
    for (name, bytes) in [("photo.png", picture(48, 40, 1)), ("painting.png", picture(44, 52, 5))] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    // As typed today: a recipe that names no format is one of before.
    let mut with_format = recipe(iterations);
    with_format["format"] = json!(impasto::recipe::FORMAT);
    let order = Order {
        content: Some(folder.join("photo.png")),
        styles: vec![folder.join("painting.png")],
        recipe: Recipe::from_json(&with_format.to_string()).unwrap(),
        ..Order::default()
    };
    let files = Files { output: Some(output.to_owned().into()), ..Files::default() };
    let mut engines = Engines::for_one_job(DeviceChoice::Cpu, Some(2), Arc::new(|_: &str| {}));
    let job = Job::new(&order, &files, None).unwrap();
    job.prepare(&mut engines).unwrap().perform(&mut |_| Control::Continue).unwrap();
}

#[test]
fn a_whole_job_gives_the_bytes_that_the_command_line_gives() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let forecast = client.post("/api/forecast", &workshop.order(6));
    assert_eq!(forecast.status, 200, "{}", forecast.text());
    let forecast = forecast.json();
    assert_eq!((&forecast["width"], &forecast["height"]), (&json!(64), &json!(53)));
    assert_eq!(forecast["sizes"], json!([{ "width": 64, "height": 53, "evaluations": 6 }]));
    assert!(forecast["seconds"].as_f64().unwrap() > 0.0 && forecast["memory_mib"].as_u64().unwrap() > 50);

    let mut events = Stream::open(&client, "/api/events");
    assert_eq!(events.find("snapshot", |_| true)["runs"], json!([]));
    let run = workshop.begin(6);
    assert_eq!(events.find("state", |state| state["id"] == run.as_str())["state"], "waiting");
    let iteration = events.find("iteration", |_| true);
    assert!(iteration["loss"]["layers"]["conv1_1"].as_f64().unwrap() > 0.0, "{iteration}");
    let preview = events.find("preview", |_| true);
    let ended = events.find("state", |state| state["state"] == "finished");
    assert_eq!((&ended["evaluation"], &ended["evaluations"]), (&json!(6), &json!(6)));
    assert_eq!(ended["size"], json!({ "width": 64, "height": 53 }));

    let detail = workshop.wait(&run, &["finished"]);
    let columns = &detail["losses"];
    let count = columns["evaluation"].as_array().unwrap().len();
    assert!((2..=6).contains(&count), "{columns}");
    for column in ["total", "content", "style"] {
        assert_eq!(columns[column].as_array().unwrap().len(), count);
    }
    assert_eq!(columns["layers"].as_object().unwrap().len(), 3);
    assert_eq!(detail["content"]["name"], "photo.png");
    assert_eq!(detail["styles"][0]["id"], workshop.painting.as_str());
    assert!(detail["controls"]["style_weight"].is_number(), "{}", detail["controls"]);
    assert_eq!(
        (&detail["controls"]["style_blend"], &detail["recipe"]["transparency"]),
        (&json!([1.0]), &json!("keep"))
    );

    let shown = client.get(&format!("/api/runs/{run}/preview/{}.jpg", preview["revision"]));
    assert_eq!((shown.status, shown.header("content-type")), (200, Some("image/jpeg")));
    let newest = client.get(&format!("/api/runs/{run}/preview/{}.jpg", ended["revision"]));
    assert_eq!(newest.header("cache-control"), Some("private, max-age=31536000, immutable"));
    let beyond = client.get(&format!("/api/runs/{run}/preview/4000000000.jpg"));
    assert_eq!(beyond.status, 404);

    let alone = workshop.folder.path().join("alone.png");
    paint_alone(workshop.folder.path(), 6, &alone);
    let exported = client.get(&format!("/api/runs/{run}/export?format=png8"));
    assert_eq!(exported.body, std::fs::read(&alone).unwrap(), "the studio's picture is another");
    assert!(
        exported
            .header("content-disposition")
            .unwrap()
            .starts_with("attachment; filename*=UTF-8''photo%2Dafter%2Dpainting")
    );

    let command = client.get(&format!("/api/runs/{run}/command")).json();
    // The line for a terminal in any folder; the browser's tests run it.
    let line = command["command"].as_str().unwrap();
    let folder = std::fs::canonicalize(workshop.runs()).unwrap();
    assert!(line.contains(" paint ") && line.contains(&folder.to_string_lossy().into_owned()), "{line}");
    assert!(line.ends_with("/result.png --output photo-after-painting.png --device cpu"), "{line}");
    assert_eq!(command["recipe"], serde_json::from_str::<Value>(&read_recipe(&alone).unwrap()).unwrap());
}

#[test]
fn every_format_holds_the_picture() {
    let workshop = Workshop::new();
    let run = workshop.begin(2);
    workshop.wait(&run, &["finished"]);
    let client = workshop.client();
    let export = |format: &str| client.get(&format!("/api/runs/{run}/export?format={format}"));
    let exact = decode_picture(&export("png16").body, Path::new("png16"), &ReadLimits::default()).unwrap();
    assert_eq!(exact.bits, 16);
    assert!(exact.picture.values.iter().any(|value| value.fract() != 0.0), "the picture was kept with 8 bits");
    for (format, kind, bits, most) in [
        ("png8", "image/png", 8, 0.51),
        ("jpeg", "image/jpeg", 8, 40.0),
        ("webp", "image/webp", 8, 0.51),
        ("tiff", "image/tiff", 16, 0.01),
    ] {
        let answer = export(format);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
        let read = decode_picture(&answer.body, Path::new(format), &ReadLimits::default()).unwrap();
        assert_eq!((read.picture.width, read.picture.height, read.bits), (64, 53, bits), "{format}");
        let pairs = read.picture.values.iter().zip(&exact.picture.values);
        let worst = pairs.map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(worst <= most, "{format}: {worst}");
    }
    assert_eq!(export("gif").status, 400);
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bytes() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let mut events = Stream::open(&client, "/api/events");
    let run = workshop.begin(400);
    events.find("iteration", |_| true);
    assert_eq!(client.delete(&format!("/api/runs/{run}")).status, 409, "it is painted");
    let said = client.post(&format!("/api/runs/{run}/stop"), &json!({}));
    assert_eq!(said.status, 202, "{}", said.text());
    let stopped = workshop.wait(&run, &["stopped"]);
    let done = stopped["evaluation"].as_u64().unwrap();
    assert!((1..400).contains(&done), "{done}");
    assert_eq!(client.get(&format!("/api/runs/{run}/export")).status, 200, "the picture so far");
    assert_eq!(client.post(&format!("/api/runs/{run}/stop"), &json!({})).status, 409);

    assert_eq!(client.post(&format!("/api/runs/{run}/resume"), &json!({})).status, 202);
    let finished = workshop.wait(&run, &["finished"]);
    let column = finished["losses"]["evaluation"].as_array().unwrap();
    assert!(column.windows(2).all(|pair| pair[0].as_u64() < pair[1].as_u64()), "{column:?}");
    let alone = workshop.folder.path().join("alone.png");
    paint_alone(workshop.folder.path(), 400, &alone);
    assert_eq!(client.get(&format!("/api/runs/{run}/export")).body, std::fs::read(&alone).unwrap());
}

#[test]
fn a_region_is_a_mask_by_its_identifier() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let half: Vec<u8> = (0..48 * 40).flat_map(|place| [if place % 48 < 24 { 255 } else { 0 }; 3]).collect();
    let half = impasto::Picture::from_rgb8(48, 40, &half).unwrap();
    let png =
        impasto::write::encode_picture(&half, impasto::write::OutputFormat::Png, Default::default(), None).unwrap();
    let said = client.send("POST", "/api/masks", &[], &png);
    assert_eq!(said.status, 201, "{}", said.text());
    let mask = said.json();
    assert_eq!((&mask["width"], &mask["height"]), (&json!(48), &json!(40)));
    let id = mask["id"].as_str().unwrap();
    let shown = client.get(&format!("/api/masks/{id}"));
    let read = decode_picture(&shown.body, Path::new("mask"), &ReadLimits::default()).unwrap();
    assert_eq!(read.picture, half);

    let mut order = workshop.order(2);
    order["recipe"]["regions"] = json!([{ "name": "left", "mask": id }]);
    order["recipe"]["rest"] = json!("photo");
    let run = client.post("/api/runs", &order).json()["id"].as_str().unwrap().to_owned();
    let detail = workshop.wait(&run, &["finished"]);
    assert_eq!(detail["controls"]["regions"][0]["mask"], id);
    // It is ordered again as it is told.
    let again = json!({ "content": workshop.photo, "styles": [workshop.painting], "recipe": detail["recipe"], "device": "cpu" });
    let again = client.post("/api/runs", &again);
    assert_eq!(again.status, 201, "{}", again.text());
    workshop.wait(again.json()["id"].as_str().unwrap(), &["finished"]);
    for wrong in ["0".repeat(64).as_str(), "../../photo.png", "/etc/passwd", "mask.png"] {
        order["recipe"]["regions"][0]["mask"] = json!(wrong);
        let status = client.post("/api/runs", &order).status;
        assert!(status == 400 || status == 404, "{wrong}: {status}");
    }
}

#[test]
fn files_are_named_by_nobody() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let secret = workshop.folder.path().join("secret.png");
    std::fs::write(&secret, picture(20, 20, 3)).unwrap();
    let path = secret.to_str().unwrap();
    for (field, value) in
        [("init", path), ("weights", path), ("weights", "../w.pth"), ("emphasis", path), ("region_labels", path)]
    {
        let mut order = workshop.order(2);
        order["recipe"][field] = json!(value);
        let said = client.post("/api/runs", &order);
        assert_eq!(said.status, 400, "{field} {value}: {}", said.text());
    }
    // Names of images are dropped: it is said beside the recipe which they are.
    let mut order = workshop.order(2);
    (order["recipe"]["content"], order["recipe"]["styles"]) = (json!(path), json!([path]));
    let run = client.post("/api/runs", &order).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(workshop.wait(&run, &["finished"])["content"]["id"], workshop.photo.as_str());
    for (field, value) in [("content", path), ("content", "..")] {
        let mut order = workshop.order(2);
        order[field] = json!(value);
        assert_eq!(client.post("/api/runs", &order).status, 404, "{field} {value}");
    }
    let mut order = workshop.order(2);
    order["device"] = json!("gpu:x");
    assert_eq!(client.post("/api/runs", &order).status, 400);
    order["device"] = Value::Null;
    order["surprise"] = json!(1);
    assert_eq!(client.post("/api/runs", &order).status, 400);
}
