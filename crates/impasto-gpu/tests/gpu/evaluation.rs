//! One evaluation on random pictures, as most tests of this crate repeat it under other circumstances.

use impasto_gpu::GpuEngine;
use impasto_vgg::{EngineError, Observation, Session, SessionRequest, Strategy};

use crate::support::guides::Maps;
use crate::support::random::Random;

/// What an evaluation answers, to the bit.
#[derive(Debug, PartialEq)]
pub struct Answers {
    pub observation: Observation,
    pub pixels: Vec<f32>,
}

impl Answers {
    /// Whether there is a gradient, and no hole in it.
    pub fn are_sound(&self) -> bool {
        self.pixels.iter().all(|value| value.is_finite()) && self.pixels.iter().any(|&value| value != 0.0)
    }
}

/// The answers to a request's pictures, and the strategy that the session ended with.
pub fn evaluate(engine: &GpuEngine, request: &SessionRequest) -> Result<(Answers, Strategy), EngineError> {
    let mut session = engine.open(request)?;
    let answers = evaluate_in(&mut session)?;
    Ok((answers, session.plan().expect("a session that answered has a plan").strategy))
}

/// As [`evaluate`], in any session, with masks and an emphasis where its request has guides. Another picture goes before, so
/// that nothing may lean on buffers being fresh.
pub fn evaluate_in(session: &mut dyn Session) -> Result<Answers, EngineError> {
    let request = session.request().clone();
    let mut random = Random(9);
    let [content, other, image] = [(); 3].map(|()| random.picture(request.height, request.width));
    session.set_content(&content)?;
    let maps = Maps::mixed(&request, 3);
    if !maps.masks.is_empty() {
        session.set_masks(&maps.masks)?;
    }
    if !maps.emphasis.is_empty() {
        session.set_emphasis(&maps.emphasis)?;
    }
    let mut pixels = vec![f32::NAN; request.picture_len()];
    let seen = session.forward(&other)?;
    session.backward(&Random(4).gradients(&seen), &mut pixels)?;
    let observation = session.forward(&image)?;
    session.backward(&Random(4).gradients(&observation), &mut pixels)?;
    Ok(Answers { observation, pixels })
}
