//! L-BFGS with its sweeps on a device: here a history of plain loops in f64, which fails where it is told to.

use impasto::bfloat16::Bfloat16;
use impasto::lbfgs::Lbfgs;
use impasto::optimiser::Optimiser;
use impasto::preconditioner::Preconditioner;
use impasto::state::{StateReader, StateWriter};
use impasto_vgg::reference::ReferenceHistory;
use impasto_vgg::{EngineError, History, Products, Vectors, Weighing};

const SIDE: usize = 12;
const VALUES: usize = 3 * SIDE * SIDE;
const CAPACITY: usize = 5;

/// A history in f64, whose call with this number, from 0, fails.
#[derive(Debug)]
struct Failing {
    inner: ReferenceHistory,
    calls: usize,
    fails_at: usize,
}

impl Failing {
    fn at(fails_at: usize) -> Box<Failing> {
        Box::new(Failing { inner: ReferenceHistory::new(CAPACITY), calls: 0, fails_at })
    }

    fn call(&mut self) -> Result<&mut ReferenceHistory, EngineError> {
        self.calls += 1;
        assert!(self.calls <= self.fails_at + 1, "it was asked again after it had failed");
        if self.calls > self.fails_at { Err(EngineError::Device("gone".into())) } else { Ok(&mut self.inner) }
    }
}

impl History for Failing {
    fn push(&mut self, step: &[Bfloat16], change: &[Bfloat16]) -> Result<(), EngineError> {
        self.call()?.push(step, change)
    }

    fn clear(&mut self) {
        self.inner.clear();
    }

    fn load(&mut self, vector: &[f32]) -> Result<(), EngineError> {
        self.call()?.load(vector)
    }

    fn multiply(&mut self, vectors: Vectors) -> Result<Products, EngineError> {
        self.call()?.multiply(vectors)
    }

    fn add(&mut self, vectors: Vectors, factors: &[f64], scale: f32) -> Result<(), EngineError> {
        self.call()?.add(vectors, factors, scale)
    }

    fn weigh(&mut self, weighing: Weighing<'_>) -> Result<(), EngineError> {
        self.call()?.weigh(weighing)
    }

    fn read(&mut self, vector: &mut [f32]) -> Result<(), EngineError> {
        self.call()?.read(vector)
    }
}

/// sum of weights (x - centre)^2 / 2, whose weights are from 1 to 100.
fn bowl(picture: &[f32]) -> (f64, Vec<f32>) {
    let mut loss = 0.0;
    let gradient = picture.iter().enumerate().map(|(place, &value)| {
        let weight = 100.0_f64.powf((place * 29 % VALUES) as f64 / VALUES as f64);
        let away = f64::from(value) - (place * 7 % 251) as f64;
        loss += weight * away * away / 2.0;
        (weight * away) as f32
    });
    let gradient = gradient.collect();
    (loss, gradient)
}

fn lbfgs(clamp: bool) -> Lbfgs {
    Lbfgs::new(CAPACITY, clamp, Some(Preconditioner::new(SIDE, SIDE, 0.5)))
}

fn advance(lbfgs: &mut Lbfgs, picture: &mut [f32], evaluations: usize) -> f64 {
    for _ in 0..evaluations {
        let (loss, gradient) = bowl(picture);
        lbfgs.advance(picture, loss, &gradient);
    }
    bowl(lbfgs.good()).0
}

/// The loss after some evaluations, more than the history remembers, and the picture that comes next.
fn run(clamp: bool, history: Option<Box<Failing>>) -> (f64, Vec<f32>) {
    let (mut lbfgs, mut picture) = (lbfgs(clamp), vec![100.0; VALUES]);
    if let Some(history) = history {
        lbfgs.attach(history);
    }
    (advance(&mut lbfgs, &mut picture, 12), picture)
}

/// Wherever the device fails, in a push, in products or in a sum, the host goes on from there.
#[test]
fn a_history_may_fail_at_any_call() {
    for clamp in [false, true] {
        let (expected, picture) = run(clamp, None);
        let (start, _) = bowl(&vec![100.0; VALUES]);
        assert!(expected < 0.1 * start, "{start} {expected}");
        let (_, without) = run(clamp, Some(Failing::at(0)));
        assert!(without == picture, "a history that never was has changed the picture");
        let mut others = 0;
        for fails_at in (1..100).chain([usize::MAX - 1]) {
            let (loss, ours) = run(clamp, Some(Failing::at(fails_at)));
            assert!((loss - expected).abs() < 1e-3 * expected, "after {fails_at} calls: {loss} and {expected}");
            others += usize::from(ours != picture);
        }
        assert!(others > 10, "the history was not used: {others}");
    }
}

/// What a checkpoint kept is what the device had.
#[test]
fn a_history_that_is_attached_later_is_given_the_pairs_that_there_are() {
    for (clamp, before) in [(false, 1), (false, 4), (true, 1), (true, 4), (true, 9)] {
        let (_, expected) = run(clamp, Some(Failing::at(usize::MAX - 1)));
        let (mut first, mut picture) = (lbfgs(clamp), vec![100.0; VALUES]);
        first.attach(Failing::at(usize::MAX - 1));
        advance(&mut first, &mut picture, before);
        let mut bytes = Vec::new();
        let mut writer = StateWriter::new(&mut bytes);
        first.save(&mut writer).unwrap();
        writer.finish().unwrap();
        let mut second = lbfgs(clamp);
        second.restore(VALUES, &mut StateReader::new(&bytes)).unwrap();
        second.attach(Failing::at(usize::MAX - 1));
        advance(&mut second, &mut picture, 12 - before);
        assert!(picture == expected, "another picture after {before} evaluations");
    }
}
