//! The engines under test.

use std::sync::OnceLock;

use impasto_vgg::cpu::isa::InstructionSet;
use impasto_vgg::{CpuEngine, CpuOptions, Engine, ReferenceEngine, Weights};

/// One engine, on any number of threads.
pub struct Subject {
    pub name: String,
    make: Box<dyn Fn(usize) -> Box<dyn Engine>>,
    is_in_part: bool,
}

impl Subject {
    pub fn new(name: &str, make: impl Fn(usize) -> Box<dyn Engine> + 'static) -> Subject {
        Subject { name: name.to_owned(), make: Box::new(make), is_in_part: false }
    }

    /// One that takes seconds for what others do in no time: of many cases of one kind a part is tried.
    pub fn in_part(self) -> Subject {
        Subject { is_in_part: true, ..self }
    }

    pub fn engine(&self, threads: usize) -> Box<dyn Engine> {
        (self.make)(threads)
    }
}

/// All of these cases; each `step`-th, the first among them, where every subject is tried in part.
pub fn cases<T>(subjects: &[Subject], step: usize, all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    let is_in_part = subjects.iter().all(|subject| subject.is_in_part);
    all.into_iter().step_by(if is_in_part { step } else { 1 })
}

/// The CPU engine on every instruction set of this processor, the best first; made once, so that weights are
/// transformed once.
pub fn cpu_engines() -> &'static [(String, CpuEngine)] {
    static ENGINES: OnceLock<Vec<(String, CpuEngine)>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let names = InstructionSet::available().into_iter().map(|set| set.name().to_owned());
        let engine = |isa: &String| {
            let options = CpuOptions { threads: Some(2), isa: Some(isa.clone()) };
            CpuEngine::new(Weights::embedded(), options).unwrap()
        };
        names.map(|isa| (isa.clone(), engine(&isa))).collect()
    })
}

/// As [`cpu_engines`], each that has kernels of its own for f32: where there are tile registers, f32 is multiplied by the
/// kernels of `avx512`.
pub fn f32_engines() -> impl Iterator<Item = &'static (String, CpuEngine)> {
    cpu_engines().iter().filter(|(name, _)| name != "amx")
}

/// Every engine that has kernels of its own for f32 on this processor, but for the reference.
pub fn subjects() -> Vec<Subject> {
    f32_engines()
        .map(|(name, engine)| Subject::new(name, |threads| Box::new(engine.with_threads(threads).unwrap())))
        .collect()
}

/// Every engine that has kernels of its own for f32 on this processor.
pub fn subjects_and_reference() -> Vec<Subject> {
    let reference = Subject::new("reference", |_| Box::new(ReferenceEngine::new(Weights::embedded())));
    subjects().into_iter().chain([reference]).collect()
}
