//! What a session is shown of a scale before it is asked anything: the photo, masks, the emphasis.

use impasto_vgg::{EngineError, Session};

use super::regions::Masks;
use crate::objective::wrap::Wrap;
use crate::picture::Picture;

/// Shows a session the masks and the emphasis of a scale, and the photo where it has not seen it.
pub(super) fn show(
    session: &mut dyn Session,
    wrap: Option<Wrap>,
    content: Option<&Picture>,
    masks: Option<&Masks>,
    emphasis: Option<Vec<f32>>,
) -> Result<(), EngineError> {
    let has_emphasis = session.request().guides.emphasis;
    let emphasis = match wrap {
        Some(wrap) => has_emphasis.then(|| wrap.emphasis(emphasis)),
        None => emphasis,
    };
    emphasis.map_or(Ok(()), |emphasis| session.set_emphasis(&emphasis))?;
    if let Some(content) = content {
        match wrap {
            Some(wrap) => session.set_content(&wrap.mirrored(&content.values))?,
            None => session.set_content(&content.values)?,
        }
    }
    match (wrap, masks) {
        (Some(wrap), Some(masks)) => session.set_masks(&wrap.masks(&masks.values)),
        (None, Some(masks)) => session.set_masks(&masks.values),
        (_, None) => Ok(()),
    }
}
