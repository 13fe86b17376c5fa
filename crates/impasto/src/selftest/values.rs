//! Tensors and texts from bytes that nobody vouches for.

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::SelftestError;

/// The tensor `name`, which has to be of `shape` and float32 or float64, all of it finite.
pub(super) fn read_values(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f64>, SelftestError> {
    let view = file.tensor(name).map_err(|_| SelftestError::Missing(name.to_owned()))?;
    let values: Option<Vec<f64>> = match view.dtype() {
        _ if view.shape() != shape => None,
        Dtype::F32 => Some(view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect()),
        Dtype::F64 => Some(view.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()),
        _ => None,
    };
    let values = values.ok_or_else(|| SelftestError::Shape {
        name: shortened(name),
        found: format!("{:?} {:?}", view.dtype(), view.shape()),
        expected: format!("F32 or F64 {shape:?}"),
    })?;
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(SelftestError::NotFinite(shortened(name)))
    }
}

/// Enough of an untrusted text to know it by, on one line.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(40).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
