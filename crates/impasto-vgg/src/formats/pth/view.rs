//! Tensors as PyTorch pickles them: views of storages, by name.

use std::collections::BTreeSet;

use super::super::budget::{Budget, ENTRY_LIMIT, NESTING_LIMIT, Size, count};
use super::super::element::Kind;
use super::pickle::{Node, Pickle, Place};
use crate::weights::WeightsError;

/// The longest name of a tensor or a storage. A pickle may use one text for many of them, so a long one would cost much
/// more than it takes in the file.
const NAME_LIMIT_BYTES: usize = 512;

/// Charged for a tensor: its name, where it is found and in the table of contents and the index, and its view.
const NAME_COST_BYTES: u64 = 4 << 10;

/// A tensor as a view of a storage, everything in elements.
#[derive(Clone, Debug)]
pub struct View {
    /// The storage's key.
    pub storage: String,
    /// None for whole numbers.
    pub kind: Option<Kind>,
    /// Elements of the whole storage.
    pub storage_len: u64,
    /// Where it begins in the storage.
    pub offset: u64,
    /// Its sides.
    pub size: Vec<u64>,
    /// Elements from one step along each side to the next.
    pub stride: Vec<u64>,
}

impl View {
    /// Elements from the first to the last that the view touches.
    pub fn span(&self) -> Result<u64, WeightsError> {
        let mut last = Size::new(0);
        for (&size, &stride) in self.size.iter().zip(&self.stride) {
            let Some(steps) = size.checked_sub(1) else { return Ok(0) };
            last = last.plus(Size::new(steps).times(stride)?.get())?;
        }
        Ok(last.plus(1)?.get())
    }

    /// The elements in the order of the view's size, from those of its span.
    pub fn gather(&self, span: Vec<f32>, budget: &mut Budget) -> Result<Vec<f32>, WeightsError> {
        let mut dense = Size::new(1);
        let mut in_order = true;
        for (&size, &stride) in self.size.iter().zip(&self.stride).rev() {
            in_order &= size == 1 || stride == dense.get();
            dense = dense.times(size)?;
        }
        if in_order {
            return Ok(span);
        }
        // The offset of every element, an axis at a time.
        let mut offsets = budget.room_for::<u64>(dense.get())?;
        offsets.push(0_u64);
        for (&size, &stride) in self.size.iter().zip(&self.stride) {
            let mut next = budget.room_for::<u64>(Size::new(count(&offsets)).times(size)?.get())?;
            for &offset in &offsets {
                for step in 0..size {
                    next.push(Size::new(step).times(stride)?.plus(offset)?.get());
                }
            }
            budget.give_back(count(&offsets).saturating_mul(8));
            offsets = next;
        }
        let mut values = budget.room_for::<f32>(count(&offsets))?;
        for offset in offsets {
            let value = span.get(Size::new(offset).index()?).copied();
            values.push(value.ok_or_else(|| WeightsError::malformed("a tensor reaches beyond its storage"))?);
        }
        budget.give_back(dense.get().saturating_mul(16));
        budget.give_back(count(&span).saturating_mul(4));
        Ok(values)
    }
}

/// Every tensor of a pickle that stands in dictionaries, by the keys that lead to it, joined by dots.
pub fn views(pickle: &Pickle, budget: &mut Budget) -> Result<Vec<(String, View)>, WeightsError> {
    let mut views = Vec::new();
    let mut seen = BTreeSet::new();
    let mut level = vec![(String::new(), pickle.root)];
    for _ in 0..NESTING_LIMIT {
        let mut next = Vec::new();
        for (prefix, place) in level {
            // A dictionary that holds itself is read once.
            if !seen.insert(place) {
                continue;
            }
            for &(key, value) in items(pickle, place) {
                let Node::Text(key) = pickle.node(key) else { continue };
                // A key may stand once in the file and lead to many tensors, so it is charged for each of them, thrice:
                // here, in the table of contents, and where that is copied.
                budget.work(count(key.as_bytes()))?;
                if key.len().saturating_add(prefix.len()) > NAME_LIMIT_BYTES {
                    continue;
                }
                let name = format!("{prefix}{key}");
                budget.take(NAME_COST_BYTES)?;
                match tensor(pickle, value)? {
                    Some(view) => views.push((name, view)),
                    None if !items(pickle, value).is_empty() => next.push((format!("{name}."), value)),
                    None => budget.give_back(NAME_COST_BYTES),
                }
                if count(&views) > ENTRY_LIMIT || count(&next) > ENTRY_LIMIT {
                    return Err(WeightsError::malformed("it holds more than 1,000 tensors"));
                }
            }
        }
        if next.is_empty() {
            return Ok(views);
        }
        level = next;
    }
    Err(WeightsError::malformed("its dictionaries nest deeper than 32"))
}

/// Keys and values of a dictionary; nothing of anything else.
fn items(pickle: &Pickle, place: Place) -> &[(Place, Place)] {
    match pickle.node(place) {
        Node::Dictionary(items) | Node::Call { items, .. } => items,
        _ => &[],
    }
}

/// The value of a text key.
pub fn entry<'pickle>(pickle: &'pickle Pickle, place: Place, wanted: &str) -> Option<&'pickle Node> {
    items(pickle, place)
        .iter()
        .find(|&&(key, _)| matches!(pickle.node(key), Node::Text(text) if text == wanted))
        .map(|&(_, value)| pickle.node(value))
}

/// A call's function and arguments.
fn call(pickle: &Pickle, place: Place) -> Option<(&str, &[Place])> {
    let Node::Call { function, arguments, .. } = pickle.node(place) else { return None };
    match (pickle.node(*function), pickle.node(*arguments)) {
        (Node::Global(name), Node::Sequence(arguments)) => Some((name, arguments)),
        _ => None,
    }
}

/// The tensor that a node stands for, if it stands for one.
fn tensor(pickle: &Pickle, place: Place) -> Result<Option<View>, WeightsError> {
    match call(pickle, place) {
        Some(("torch._utils._rebuild_parameter", &[inner, ..])) => match call(pickle, inner) {
            Some(("torch._utils._rebuild_parameter", _)) | None => Ok(None),
            Some((_, arguments)) => view(pickle, arguments).map(Some),
        },
        Some(("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2", arguments)) => {
            view(pickle, arguments).map(Some)
        }
        _ => Ok(None),
    }
}

fn view(pickle: &Pickle, arguments: &[Place]) -> Result<View, WeightsError> {
    let wrong = || WeightsError::malformed("a tensor in its pickle is not put together as PyTorch's are");
    let &[storage, offset, size, stride, ..] = arguments else { return Err(wrong()) };
    let whole = |place| match pickle.node(place) {
        &Node::Whole(value) => u64::try_from(value).map_err(|_| wrong()),
        _ => Err(wrong()),
    };
    let wholes = |place| match pickle.node(place) {
        Node::Sequence(members) if count(members) <= NESTING_LIMIT.into() => {
            members.iter().map(|&member| whole(member)).collect::<Result<Vec<u64>, _>>()
        }
        _ => Err(wrong()),
    };
    let (storage, kind, storage_len) = outside(pickle, storage).ok_or_else(wrong)?;
    let (size, stride) = (wholes(size)?, wholes(stride)?);
    if size.len() != stride.len() || storage.len() > NAME_LIMIT_BYTES {
        return Err(wrong());
    }
    Ok(View { storage: storage.to_owned(), kind, storage_len, offset: whole(offset)?, size, stride })
}

/// Key, type and length of a storage.
fn outside(pickle: &Pickle, place: Place) -> Option<(&str, Option<Kind>, u64)> {
    let &Node::Outside(key) = pickle.node(place) else { return None };
    let Node::Sequence(parts) = pickle.node(key) else { return None };
    let &[_, class, key, _, len, ..] = parts.as_slice() else { return None };
    let (Node::Global(class), Node::Text(key), &Node::Whole(len)) =
        (pickle.node(class), pickle.node(key), pickle.node(len))
    else {
        return None;
    };
    let kind = match class.as_str() {
        "torch.FloatStorage" => Some(Kind::F32),
        "torch.HalfStorage" => Some(Kind::F16),
        "torch.BFloat16Storage" => Some(Kind::Bf16),
        "torch.DoubleStorage" => Some(Kind::F64),
        _ => None,
    };
    Some((key, kind, u64::try_from(len).ok()?))
}
