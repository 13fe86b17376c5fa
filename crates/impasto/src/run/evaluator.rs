//! A session with the losses of one size: of a scale of the run, or of a smaller size beside it.

use std::borrow::Cow;

use impasto_vgg::{Bank, Engine, Guides, Session, SessionRequest};

use super::PaintError;
use super::regions::Masks;
use super::scales::Scale;
use super::setting::Setting;
use super::showing::show;
use super::style_moments::{MomentsKey, StyleMoments};
use crate::objective::matching::taps_of_banks;
use crate::objective::wrap::Wrap;
use crate::objective::{Objective, request};
use crate::picture::Picture;
use crate::recipe::precision::precision_of;
use crate::recipe::resolve::ResolvedRecipe;

/// A session with its losses.
pub(super) struct Evaluator {
    pub session: Box<dyn Session>,
    pub objective: Objective,
    key: MomentsKey,
}

/// A size at which losses are evaluated, with its images.
pub(super) struct Size<'a> {
    pub scale: Scale,
    pub wrap: Option<Wrap>,
    /// Its place among the run's scales; `None` for a smaller one beside them.
    pub index: Option<usize>,
    pub content: Cow<'a, Picture>,
    pub masks: Option<Cow<'a, Masks>>,
    pub emphasis: Option<Vec<f32>>,
    /// What matched features are drawn to; none where they do not count.
    pub banks: &'a [Bank],
}

/// What there is of an evaluator from before.
pub(super) type KnownParts = (Option<Box<dyn Session>>, (Objective, MomentsKey));

impl Evaluator {
    /// What of it can be used again for a request: the losses, and the session where it is one for that.
    pub fn parts_for(self, request: &SessionRequest) -> KnownParts {
        let Evaluator { session, objective, key } = self;
        (Some(session).filter(|session| session.request() == request), (objective, key))
    }
}

impl Setting<'_> {
    /// A session and losses for one size.
    pub fn evaluator(
        &self,
        moments: &mut StyleMoments,
        size: &Size<'_>,
        request: &SessionRequest,
        known: Option<KnownParts>,
    ) -> Result<Evaluator, PaintError> {
        let masks = size.masks.as_deref();
        let (session, losses) = known.map_or((None, None), |(session, losses)| (session, Some(losses)));
        let (objective, key) = match losses {
            Some((mut objective, key)) if key == self.moments_key(masks) => {
                objective.weigh(self.recipe, &self.region_styles(masks, Vec::new()));
                (objective, key)
            }
            losses => {
                drop(losses);
                let (key, moments) = match size.index {
                    Some(index) => self.moments_of(moments, index, masks)?,
                    None => (self.moments_key(masks), self.moments_at(size.scale, masks)?),
                };
                let objective = Objective::of_regions(self.recipe, &self.region_styles(masks, moments));
                let held_to = self.images.held_to_at(self.recipe, size.scale)?;
                (objective.wrapped(size.wrap).held_to(held_to), key)
            }
        };
        let (mut session, is_new) = match session {
            Some(session) => (session, false),
            None => (self.engine.session(request)?, true),
        };
        let content = is_new.then_some(&*size.content);
        show(session.as_mut(), size.wrap, content, masks, size.emphasis.clone())?;
        Ok(Evaluator { session, objective, key })
    }

    /// What to ask of the engine at a size, but for its share of the memory.
    pub fn request(&self, size: &Size<'_>, is_full: bool) -> SessionRequest {
        let regions = size.masks.as_ref().map_or(0, |masks| masks.areas.len());
        let guides = Guides { regions, emphasis: size.emphasis.is_some() };
        let whose = (self.recipe, self.engine);
        let request = request_at(whose, (size.scale, size.wrap), is_full, Some(guides), self.memory_limit_bytes);
        SessionRequest { matched_taps: taps_of_banks(self.recipe, size.banks), ..request }
    }
}

/// What to ask of an engine at a size, without matched taps; with guides for all that the recipe names, unless these are said.
pub(super) fn request_at(
    (recipe, engine): (&ResolvedRecipe, &dyn Engine),
    (scale, wrap): (Scale, Option<Wrap>),
    is_full: bool,
    guides: Option<Guides>,
    memory_limit_bytes: Option<u64>,
) -> SessionRequest {
    let mut request = request(recipe, scale.width, scale.height, memory_limit_bytes);
    request.precision = precision_of(recipe.precision, engine, is_full);
    request.guides = guides.unwrap_or(request.guides);
    if let Some(wrap) = wrap {
        wrap.widen(&mut request);
    }
    request
}
