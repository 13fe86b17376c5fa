//! A task by what its picture depends on.

use impasto::digest::sha256;
use serde_json::Value;

/// See [`super::Task::digest`]: of the line's own fields, so that it is the same for every version that reads them.
pub(super) fn digest(line: &Value) -> String {
    let mut line = line.clone();
    if let Some(fields) = line.as_object_mut() {
        for name in ["number", "after", "memory_mib", "threads", "seconds"] {
            fields.remove(name);
        }
        if let Some(recipe) = fields.get_mut("recipe").and_then(Value::as_object_mut) {
            recipe.remove("version");
            recipe.remove("engine");
        }
        for name in ["content", "styles", "start", "masks", "timeline_masks", "weights", "shot"] {
            fields.get_mut(name).into_iter().for_each(forget_bytes);
        }
    }
    // Keys are in the order of their letters.
    sha256(line.to_string().as_bytes())
}

/// Takes the digests out of files.
fn forget_bytes(files: &mut Value) {
    match files {
        Value::Object(file) => drop(file.remove("sha256")),
        Value::Array(files) => files.iter_mut().for_each(forget_bytes),
        _ => {}
    }
}
