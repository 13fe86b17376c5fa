//! A whole run through the GPU ends where it ends through the CPU.

use impasto::recipe::{OptimizerKind, PrecisionChoice, Recipe, Region, Size, parse_layers};
use impasto::run::RegionImages;
use impasto::{Control, GuideImages, Images, Outcome, Picture, paint};
use impasto_gpu::{GpuEngine, SimulatedFaults};
use impasto_vgg::{CpuEngine, CpuOptions, Engine, FallbackEngine, Weights};

use crate::{device, engine, is_whole_series};

/// A picture of soft waves.
fn waves(width: usize, height: usize, phase: f64) -> Picture {
    let mut picture = Picture::filled(width, height, [0.0; 3]).unwrap();
    for (place, value) in picture.values.iter_mut().enumerate() {
        let (channel, y, x) = (place / (width * height), place / width % height, place % width);
        let angle = phase + 0.4 * x as f64 + 0.27 * y as f64 * (1.0 + channel as f64);
        *value = (127.0 + 100.0 * angle.sin()) as f32;
    }
    picture
}

fn recipe(precision: PrecisionChoice) -> Recipe {
    Recipe {
        size: Some(Size::LongEdge(40)),
        iterations: Some(20),
        levels: Some(1),
        // After a few steps of L-BFGS two engines are as far apart as their last bits happen to lead its line search.
        optimizer: Some(OptimizerKind::Adam),
        learning_rate: Some(4.0),
        precision: Some(precision),
        ..Recipe::default()
    }
}

/// The objective at the end of a run.
fn objective(engine: &dyn Engine, precision: PrecisionChoice) -> f64 {
    end_of(&recipe(precision), engine).losses.unwrap().total
}

/// How a run ends.
fn end_of(recipe: &Recipe, engine: &dyn Engine) -> Outcome {
    end_with(recipe, engine, GuideImages::default())
}

/// As [`end_of`], with images that say where something counts.
fn end_with(recipe: &Recipe, engine: &dyn Engine, guides: GuideImages<'_>) -> Outcome {
    let (content, style) = (waves(48, 36, 0.0), waves(30, 40, 2.0));
    let images = Images { content: &content, styles: std::slice::from_ref(&style), start: None, guides };
    paint(&recipe.resolve().unwrap(), engine, images, None, &mut |_| Control::Continue).unwrap()
}

fn cpu() -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(2), isa: None }).unwrap()
}

/// In f32 within a thousandth, and with maps in 16 bits within half a per cent. A processor has no such maps.
#[test]
fn a_run_ends_near_the_cpus_objective() {
    let Some(gpu) = engine() else { return };
    let cpu = cpu();
    let expected = objective(&cpu, PrecisionChoice::F32);
    assert_eq!(objective(&cpu, PrecisionChoice::F16), expected);
    let [ours, half] = [PrecisionChoice::F32, PrecisionChoice::F16].map(|precision| objective(gpu, precision));
    println!("objective on the GPU {ours}, in half the memory {half}, on the CPU {expected}");
    assert!((ours - expected).abs() <= 1e-3 * expected, "{ours} and {expected}");
    assert!((half - expected).abs() <= 5e-3 * expected, "{half} and {expected}");
    assert_ne!(half, ours, "nothing was rounded");
}

/// Grey values by the column, 0..1.
fn mask(value: impl Fn(usize) -> f32) -> Picture {
    let plane: Vec<f32> = (0..48 * 36).map(|place| 255.0 * value(place % 48)).collect();
    Picture::new(48, 36, plane.repeat(3)).unwrap()
}

/// Two regions with a slope between them, and an emphasis; then matched features; then a smaller size beside the picture's own: within
/// a thousandth of the processor's.
#[test]
fn runs_with_regions_with_matches_and_of_two_sizes_end_near_the_cpus_objective() {
    let Some(gpu) = engine() else { return };
    let cpu = cpu();
    let short = || Recipe { iterations: Some(8), ..recipe(PrecisionChoice::F32) };
    let left = |x: usize| (1.5 - x as f32 / 24.0).clamp(0.0, 1.0);
    let over = |mask| RegionImages { mask, painting_mask: None };
    let regions = [over(mask(left)), over(mask(|x| 1.0 - left(x)))];
    let emphasis = mask(|x| if x < 20 { 1.0 } else { 0.25 });
    let guides = GuideImages { regions: &regions, emphasis: Some(&emphasis), ..GuideImages::default() };
    let region = |name: &str, weight| {
        let (mask, painting) = (Some(format!("{name}.png")), Some(1));
        Region { name: name.into(), mask, painting, weight: Some(weight), ..Region::default() }
    };
    let of_regions = Recipe {
        regions: Some(vec![region("left", 1.0), region("right", 0.5)]),
        emphasis: Some("emphasis.png".into()),
        ..short()
    };
    let of_matches = Recipe {
        match_weight: Some(1e5),
        match_layers: Some(parse_layers("", "conv1_2,conv2_1").unwrap()),
        match_every: Some(4),
        ..short()
    };
    let of_sizes = Recipe {
        size: Some(Size::LongEdge(84)),
        iterations: Some(4),
        multiscale_weight: Some(1.0),
        multiscale_px: Some(42),
        ..short()
    };
    let none = GuideImages::default();
    for (recipe, guides) in [(&of_regions, guides), (&of_matches, none), (&of_sizes, none)] {
        let total = |engine: &dyn Engine| end_with(recipe, engine, guides).losses.unwrap().total;
        let (ours, expected) = (total(gpu), total(&cpu));
        println!("objective on the GPU {ours}, on the CPU {expected}");
        assert!((ours - expected).abs() <= 1e-3 * expected, "{ours} and {expected}");
        // Without them it would be another.
        let plain = end_of(&short(), &cpu).losses.unwrap().total;
        assert!((ours - plain).abs() > 1e-2 * plain, "{ours} and {plain}");
    }
}

/// Few steps of L-BFGS, and fewer pairs than those.
fn quasi_newton() -> Recipe {
    Recipe {
        iterations: Some(7),
        optimizer: Some(OptimizerKind::Lbfgs),
        learning_rate: None,
        history: Some(3),
        ..recipe(PrecisionChoice::F32)
    }
}

#[test]
fn a_history_on_the_device_leads_to_the_objective_of_one_on_the_host() {
    if !is_whole_series() {
        return;
    }
    let Some(gpu) = engine() else { return };
    let gpu = gpu.clone();
    let [ours, again] = [(); 2].map(|()| end_of(&quasi_newton(), &gpu.with_any_history()));
    let host = end_of(&quasi_newton(), &gpu);
    let [of_device, of_host] = [&ours, &host].map(|outcome| outcome.losses.as_ref().unwrap().total);
    println!("objective with the history on the device {of_device}, on the host {of_host}");
    assert!((of_device - of_host).abs() <= 1e-3 * of_host, "{of_device} and {of_host}");
    assert!(ours.picture == again.picture, "other bytes the second time");
    if !gpu.describe().has_own_memory {
        assert!(ours.picture != host.picture, "the history was not on the device");
    }
}

/// Many places, some of them in a sweep: a device without memory goes on, and behind a lost one there is the processor.
#[test]
fn faults_among_evaluations_and_sweeps_end_no_run() {
    if !is_whole_series() {
        return;
    }
    let Some(first) = device() else { return };
    drop(first);
    let expected = end_of(&quasi_newton(), &cpu()).losses.unwrap().total;
    for at in [20, 22, 25] {
        let out_of_memory = SimulatedFaults { out_of_memory_at: Some(at), ..SimulatedFaults::default() };
        let lost = SimulatedFaults { lost_after: Some(at), ..SimulatedFaults::default() };
        for faults in [out_of_memory, lost] {
            let gpu = GpuEngine::with_faults(device().unwrap(), Weights::embedded(), faults).with_any_history();
            let engine = FallbackEngine::new(Box::new(gpu), Box::new(cpu()), Box::new(|_| {}));
            let outcome = end_of(&quasi_newton(), &engine);
            assert_eq!(outcome.failure, None, "{faults:?}");
            assert_eq!(engine.failure().is_some(), faults == lost, "{faults:?}");
            let total = outcome.losses.unwrap().total;
            assert!((total - expected).abs() <= 1e-3 * expected, "{faults:?}: {total} and {expected}");
        }
    }
}
