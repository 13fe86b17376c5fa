//! Several jobs on one open engine: what the first has prepared, the next does not prepare again, and the bytes are the same.

mod workshop;

use std::sync::{Arc, Mutex};

use impasto_job::{DeviceChoice, Engines, Failure};
use impasto_vgg::{CpuEngine, CpuOptions, Engine};

use workshop::{Workshop, engines, silence};

/// Engines whose processor engine can be asked what it has transformed.
fn counted() -> (Engines, Arc<Mutex<Vec<CpuEngine>>>) {
    let opened: Arc<Mutex<Vec<CpuEngine>>> = Arc::default();
    let list = Arc::clone(&opened);
    let engines = Engines::opened_by(move |weights| {
        let options = CpuOptions { threads: Some(2), isa: None };
        let engine = CpuEngine::new(Arc::clone(weights), options).map_err(Failure::from)?.keeping_weights();
        list.lock().unwrap().push(engine.clone());
        Ok(Box::new(engine) as Box<dyn Engine>)
    });
    (engines, opened)
}

#[test]
fn the_second_job_transforms_nothing_and_looks_at_no_painting_again() {
    let workshop = Workshop::new();
    let (mut engines, opened) = counted();
    workshop.paint(&mut engines, "photo.png", "one.png");
    let transformed = || opened.lock().unwrap().iter().map(CpuEngine::weights_transformed).sum::<u64>();
    let (weights, moments) = (transformed(), engines.moments().unwrap().computed());
    // Three convolutions of both ways that are transformed, at the least, and the painting at two sizes.
    assert!(weights >= 3 && moments == 2, "{weights} {moments}");
    // A photo of the same size in other proportions; the painting is brought to the same sizes.
    workshop.paint(&mut engines, "other.png", "two.png");
    assert_eq!((transformed(), engines.moments().unwrap().computed()), (weights, moments));
    assert_eq!(opened.lock().unwrap().len(), 1, "one engine was opened");
}

#[test]
fn a_job_on_an_engine_in_use_has_the_bytes_of_one_by_itself() {
    let workshop = Workshop::new();
    let mut shared = engines();
    workshop.paint(&mut shared, "photo.png", "one.png");
    workshop.paint(&mut shared, "other.png", "shared.png");
    let mut alone = Engines::for_one_job(DeviceChoice::Cpu, Some(1), silence());
    workshop.paint(&mut alone, "other.png", "alone.png");
    let bytes = |name| std::fs::read(workshop.path(name)).unwrap();
    assert_eq!(bytes("shared.png"), bytes("alone.png"));
}

#[test]
fn other_weights_open_another_engine_and_forget_the_moments() {
    let workshop = Workshop::new();
    let (mut engines, opened) = counted();
    workshop.paint(&mut engines, "photo.png", "one.png");
    let computed = engines.moments().unwrap().computed();
    let (engine, _) = engines.open("normalised", None).unwrap();
    assert_eq!((opened.lock().unwrap().len(), engines.moments().unwrap().bytes()), (2, 0));
    drop(engine);
    workshop.paint(&mut engines, "photo.png", "two.png");
    assert_eq!(engines.moments().unwrap().computed(), 2 * computed);
}
