//! An optimiser's history on the device: its sweeps against f64, also where its slots stand in several buffers, the same
//! bytes twice, and faults, which leave what was to be written as it was.

use impasto::lbfgs::Lbfgs;
use impasto::optimiser::Optimiser;
use impasto::preconditioner::Preconditioner;
use impasto::state::{StateReader, StateWriter};
use impasto_gpu::{GpuChoice, GpuEngine, SimulatedFaults, adapters, choose};
use impasto_vgg::bfloat16::Bfloat16;
use impasto_vgg::reference::ReferenceHistory;
use impasto_vgg::{Engine, EngineError, History, Products, Vectors, Weighing, Weights};

use crate::support::random::Random;
use crate::{device, engine};

const BOTH: [Vectors; 2] = [Vectors::Steps, Vectors::Changes];

/// A vector of the history.
fn rounded(random: &mut Random, values: usize) -> Vec<Bfloat16> {
    (0..values).map(|_| Bfloat16::from((2.0 * random.symmetric()) as f32)).collect()
}

fn vector(random: &mut Random, values: usize) -> Vec<f32> {
    (0..values).map(|_| (3.0 * random.symmetric()) as f32).collect()
}

/// A history after `pushed` pairs, and one in f64.
struct Filled {
    history: Box<dyn History>,
    reference: ReferenceHistory,
    /// All that were pushed.
    pairs: Vec<[Vec<Bfloat16>; 2]>,
    count: usize,
}

fn filled(engine: &GpuEngine, capacity: usize, values: usize, pushed: usize) -> Filled {
    let history = engine.with_any_history().history(capacity, values, None).expect("there is memory for it");
    let mut random = Random(5);
    let pairs: Vec<_> = (0..pushed).map(|_| [(); 2].map(|()| rounded(&mut random, values))).collect();
    let mut filled = Filled { history, reference: ReferenceHistory::new(capacity), pairs, count: pushed.min(capacity) };
    filled.push_all();
    filled
}

/// A sweep over a history: its products, and the vector after its sum.
fn sweep(history: &mut dyn History, [multiplied, added]: [Vectors; 2], vector: &[f32], count: usize) -> Products {
    history.load(vector).unwrap();
    let products = history.multiply(multiplied).unwrap();
    history.add(added, &factors(count), 0.75).unwrap();
    products
}

impl Filled {
    fn push_all(&mut self) {
        for [step, change] in &self.pairs {
            self.history.push(step, change).unwrap();
            self.reference.push(step, change).unwrap();
        }
    }

    /// A sweep's products and its sum.
    fn sweep(&mut self, vectors: [Vectors; 2], vector: &[f32]) -> (Products, Vec<f32>) {
        let products = sweep(&mut *self.history, vectors, vector, self.count);
        let mut sum = vec![f32::NAN; vector.len()];
        self.history.read(&mut sum).unwrap();
        (products, sum)
    }

    /// Checks the sweeps over both vectors against f64.
    fn check(&mut self, case: &str) {
        let values = self.pairs[0][0].len();
        let vector = vector(&mut Random(9), values);
        for vectors in [BOTH, [BOTH[1], BOTH[0]]] {
            let (products, sum) = self.sweep(vectors, &vector);
            let expected = sweep(&mut self.reference, vectors, &vector, self.count);
            // Within what f32 rounds of so many terms, each of at most 6, that are added in a tree.
            check_all(&products.with_vector, &expected.with_vector, 2e-6 * values as f64, case);
            check_all(&products.with_newest_change, &expected.with_newest_change, 2e-6 * values as f64, case);
            let sum: Vec<f64> = sum.into_iter().map(f64::from).collect();
            check_all(&sum, self.reference.vector(), 2e-6, case);
        }
    }
}

fn factors(count: usize) -> Vec<f64> {
    (0..count).map(|place| 0.3 - 0.11 * place as f64).collect()
}

fn check_all(ours: &[f64], expected: &[f64], bound: f64, case: &str) {
    assert_eq!(ours.len(), expected.len(), "{case}");
    for (place, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        assert!((ours - expected).abs() <= bound, "{case}: {ours} at {place} is not {expected}");
    }
}

/// Lengths around an octet, a thread's octets, and a segment; histories that are part full, full, and that wrap.
#[test]
fn sweeps_are_those_of_a_plain_loop_at_every_length() {
    let Some(engine) = engine() else { return };
    for values in [1, 7, 8, 9, 2049, 8191, 8192, 8193, 30_011] {
        for (capacity, pushed) in [(1, 3), (5, 3), (5, 5), (5, 12)] {
            let case = format!("{values} values, {pushed} of {capacity} pairs");
            let mut filled = filled(engine, capacity, values, pushed);
            filled.check(&case);
        }
    }
}

/// After it was forgotten, a history begins anew.
#[test]
fn a_cleared_history_remembers_nothing() {
    let Some(engine) = engine() else { return };
    let mut filled = filled(engine, 4, 1000, 6);
    filled.history.clear();
    filled.reference.clear();
    filled.history.load(&vector(&mut Random(1), 1000)).unwrap();
    assert!(filled.history.multiply(Vectors::Steps).is_err());
    filled.pairs.drain(..3);
    filled.push_all();
    filled.count = 3;
    filled.check("after it was cleared");
}

/// An adapter whose shaders see two slots at once gives the same bytes as one whose shaders see all of them.
#[test]
fn slots_in_several_buffers_change_no_byte() {
    let Some(engine) = engine() else { return };
    let values = 10_001;
    let device = choose(&adapters(), GpuChoice::Best).unwrap().open_as_if_binding(2 * 20_016).unwrap();
    let narrow = GpuEngine::new(device, Weights::embedded());
    let vector = vector(&mut Random(3), values);
    for pushed in [2, 5, 9, 13] {
        let [first, again, apart] = [engine, engine, &narrow].map(|engine| {
            let mut filled = filled(engine, 5, values, pushed);
            BOTH.map(|vectors| filled.sweep([vectors; 2], &vector))
        });
        assert!(first == again, "other bytes the second time, after {pushed} pairs");
        assert!(first == apart, "other bytes in several buffers, after {pushed} pairs");
    }
    assert!(narrow.with_any_history().history(5, 2 * values, None).is_none(), "no shader sees such a vector");
}

/// Each with its own factors, though nothing is asked for between them.
#[test]
fn sums_may_follow_one_another() {
    let Some(engine) = engine() else { return };
    let (values, count) = (3000, 3);
    let mut filled = filled(engine, count, values, count);
    let vector = vector(&mut Random(7), values);
    for history in [&mut *filled.history, &mut filled.reference] {
        history.load(&vector).unwrap();
        for (vectors, scale) in [(BOTH[0], 0.5), (BOTH[1], 2.0), (BOTH[0], 1.0)] {
            let factors: Vec<f64> = factors(count).iter().map(|factor| f64::from(scale) * factor).collect();
            history.add(vectors, &factors, scale).unwrap();
        }
    }
    let mut sum = vec![f32::NAN; values];
    filled.history.read(&mut sum).unwrap();
    let sum: Vec<f64> = sum.into_iter().map(f64::from).collect();
    check_all(&sum, filled.reference.vector(), 5e-6, "three sums");
}

/// Sides that are even, odd, long, and too short for any level; with and without a root, after one another.
#[test]
fn weighing_is_that_of_the_formula() {
    let Some(engine) = engine() else { return };
    for (width, height) in [(1, 1), (7, 40), (8, 8), (33, 17), (64, 96), (131, 45), (300, 200), (260, 520)] {
        let values = 3 * width * height;
        let (mut levels, mut side) = (vec![1.0_f32], usize::min(width, height));
        while side >= 8 {
            side = side.div_ceil(2);
            levels.push(0.4 + 0.3 * levels.len() as f32);
        }
        let mut random = Random(11);
        let root: Vec<f32> = (0..width * height).map(|_| (1.5 + random.symmetric()) as f32).collect();
        let mut history = engine.with_any_history().history(2, values, None).unwrap();
        for (root, level_weights) in [(&[][..], &levels[..]), (&root, &levels), (&root, &levels[..1])] {
            let weighing = Weighing { width, height, level_weights, root };
            let vector = vector(&mut random, values);
            let mut reference = ReferenceHistory::new(1);
            let mut weighed = vec![f32::NAN; values];
            for history in [&mut *history, &mut reference] {
                history.load(&vector).unwrap();
                history.weigh(weighing).unwrap();
            }
            history.read(&mut weighed).unwrap();
            let largest = reference.vector().iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
            let weighed: Vec<f64> = weighed.into_iter().map(f64::from).collect();
            let case = format!("{width}x{height}, {} levels, root {}", level_weights.len(), root.len());
            check_all(&weighed, reference.vector(), 1e-6 * largest, &case);
        }
    }
}

#[test]
fn what_cannot_be_weighed_is_refused() {
    let Some(engine) = engine() else { return };
    let mut history = engine.with_any_history().history(2, 300, None).unwrap();
    let weighing = Weighing { width: 10, height: 10, level_weights: &[1.0, 1.0], root: &[] };
    assert!(history.weigh(weighing).is_err(), "there is no vector");
    assert!(history.read(&mut [0.0; 300]).is_err(), "there is no vector");
    history.load(&[1.0; 300]).unwrap();
    history.weigh(weighing).unwrap();
    for wrong in [
        Weighing { width: 11, ..weighing },
        Weighing { level_weights: &[], ..weighing },
        Weighing { level_weights: &[1.0; 9], ..weighing },
        Weighing { root: &[1.0; 99], ..weighing },
    ] {
        assert!(matches!(history.weigh(wrong), Err(EngineError::Request(_))), "{wrong:?}");
    }
}

#[test]
fn what_does_not_fit_is_not_kept() {
    let Some(engine) = engine() else { return };
    let engine = engine.with_any_history();
    let bytes = engine.history_bytes(10, 5000);
    assert!(bytes > 2 * 2 * 10 * 5000, "{bytes}");
    assert!(engine.history(10, 5000, Some(bytes)).is_some());
    assert!(engine.history(10, 5000, Some(bytes - 1)).is_none());
    let faults = SimulatedFaults { memory_bytes: Some(bytes - 1), ..SimulatedFaults::default() };
    let tight = GpuEngine::with_faults(device().unwrap(), Weights::embedded(), faults).with_any_history();
    assert!(tight.history(10, 5000, None).is_none());
    assert_eq!(tight.device().fault(), None, "the device works as before");
    assert!(tight.history(5, 5000, None).is_some());
}

/// In the push, on the vector's way, in the products and in what follows them: the vector is as it was, and a want of memory is nobody else's.
#[test]
fn a_fault_leaves_the_vector_untouched() {
    let Some(device) = device() else { return };
    drop(device);
    let values = 9000;
    let vector = vector(&mut Random(2), values);
    let (mut failed, mut ended) = (0, 0);
    for at in 1..=6 {
        let out_of_memory = SimulatedFaults { out_of_memory_at: Some(at), ..SimulatedFaults::default() };
        let lost = SimulatedFaults { lost_after: Some(at - 1), ..SimulatedFaults::default() };
        for faults in [out_of_memory, lost] {
            let engine = GpuEngine::with_faults(crate::device().unwrap(), Weights::embedded(), faults);
            let mut history = engine.with_any_history().history(3, values, None).unwrap();
            let mut random = Random(5);
            let mut written = vector.clone();
            let mut work = || -> Result<(), EngineError> {
                for _ in 0..2 {
                    history.push(&rounded(&mut random, values), &rounded(&mut random, values))?;
                }
                history.load(&vector)?;
                history.multiply(Vectors::Steps)?;
                history.add(Vectors::Changes, &[0.5, 0.25], 1.0)?;
                history.weigh(Weighing { width: 60, height: 50, level_weights: &[1.0, 0.5], root: &[] })?;
                history.read(&mut written)
            };
            match work() {
                Ok(()) => ended += 1,
                Err(error) => {
                    failed += 1;
                    assert!(matches!(error, EngineError::Device(_)), "{error}");
                    assert!(written == vector, "{faults:?}: the vector was written");
                }
            }
            if faults == out_of_memory {
                assert_eq!(engine.device().fault(), None, "{faults:?}");
            }
        }
    }
    assert!(failed >= 6 && ended >= 2, "{failed} failed, {ended} ended");
}

/// From the same pairs, the next picture is the host's but for rounding; pairs that come from a checkpoint too.
#[test]
fn a_step_is_that_of_the_host() {
    let Some(engine) = engine() else { return };
    let (side, capacity) = (41, 6);
    let values = 3 * side * side;
    let bowl = |picture: &[f32]| {
        let weights = (0..values).map(|place| 50.0_f64.powf((place * 29 % values) as f64 / values as f64));
        let gradient: Vec<f64> =
            picture.iter().zip(weights).map(|(&value, weight)| weight * f64::from(value)).collect();
        let loss = gradient.iter().zip(picture).map(|(slope, &value)| slope * f64::from(value) / 2.0).sum();
        (loss, gradient.iter().map(|&slope| slope as f32).collect::<Vec<f32>>())
    };
    let lbfgs = || Lbfgs::new(capacity, false, Some(Preconditioner::new(side, side, 0.5)));
    let (mut host, mut picture) = (lbfgs(), vector(&mut Random(8), values));
    let mut made_there = 0;
    for step in 0..10 {
        let mut bytes = Vec::new();
        let mut writer = StateWriter::new(&mut bytes);
        host.save(&mut writer).unwrap();
        writer.finish().unwrap();
        let (mut ours, (loss, gradient)) = (picture.clone(), bowl(&picture));
        let before = picture.clone();
        host.advance(&mut picture, loss, &gradient);
        if step == 0 {
            continue;
        }
        let mut device = lbfgs();
        device.restore(values, &mut StateReader::new(&bytes)).unwrap();
        device.attach(engine.with_any_history().history(capacity, values, None).unwrap());
        device.advance(&mut ours, loss, &gradient);
        let length = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum() };
        let apart = (length(&ours, &picture) / length(&picture, &before)).sqrt();
        assert!(apart < 1e-5, "step {step}: {apart} of its length");
        made_there += usize::from(apart > 0.0);
    }
    assert!(made_there >= 4, "{made_there} steps were made on the device");
}

/// What shares the processor's memory has nothing to win, and small pictures have not.
#[test]
fn a_history_is_kept_where_it_is_worth_it() {
    let Some(engine) = engine() else { return };
    let (capacity, values) = (20, 1 << 20);
    let is_kept = engine.history(capacity, values, None).is_some();
    assert_eq!(is_kept, engine.describe().has_own_memory);
    assert_eq!(engine.history_bytes(capacity, values) > 0, is_kept);
    assert!(engine.history(3, 1000, None).is_none(), "the way there takes longer than the sums");
}
