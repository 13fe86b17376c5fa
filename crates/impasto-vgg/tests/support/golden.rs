//! Golden files: float64 reference values for real images on the real weights (their metadata says what each tensor is).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use impasto_vgg::{Layer, Pooling};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

/// One tensor, widened to f64.
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// One golden file.
pub struct Golden {
    pub name: String,
    pub pooling: Pooling,
    /// `("max", 1e-4)` or `("l2", 5e-3)`.
    pub gradient_bound: (String, f64),
    pub height: usize,
    pub width: usize,
    pub tensors: BTreeMap<String, Tensor>,
}

impl Golden {
    pub fn read(path: &Path) -> Golden {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().as_ref().expect("golden files carry metadata");
        let pooling = if metadata["pool"].starts_with("avg") { Pooling::Average } else { Pooling::Max };
        let (norm, bound) = metadata["gradient_bound"].split_once(' ').unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors: BTreeMap<String, Tensor> = file
            .iter()
            .map(|(name, view)| {
                let values = match view.dtype() {
                    Dtype::F32 => {
                        view.data().as_chunks().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect()
                    }
                    Dtype::F64 => view.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
                    other => panic!("{name} is {other:?}"),
                };
                (name.to_owned(), Tensor { shape: view.shape().to_vec(), values })
            })
            .collect();
        let (height, width) = (tensors["input_rgb"].shape[1], tensors["input_rgb"].shape[2]);
        Golden {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            pooling,
            gradient_bound: (norm.to_owned(), bound.parse().unwrap()),
            height,
            width,
            tensors,
        }
    }

    /// A picture of the file: `content_rgb`, `style_rgb` or `input_rgb`.
    pub fn picture(&self, name: &str) -> Vec<f32> {
        self.tensors[name].values.iter().map(|&value| value as f32).collect()
    }

    /// Tensors named `prefix` + a layer, with the layer.
    pub fn by_layer<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (Layer, &'a Tensor)> {
        self.tensors.iter().filter_map(move |(name, tensor)| {
            Some((Layer::named(name.strip_prefix(prefix)?).expect("a layer of VGG-19"), tensor))
        })
    }
}

/// The golden files in the repository, and those in the folder that
/// `IMPASTO_GOLDEN` names, or else in `../shared/golden` beside it, where there is one.
pub fn files() -> Vec<PathBuf> {
    // The crates that include this lie beside each other.
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a crate of the workspace");
    let mut files = list(&crates.join("impasto-vgg/tests/data/golden"));
    assert!(files.len() >= 4, "the repository's golden files are missing");
    let named = std::env::var_os("IMPASTO_GOLDEN").map(PathBuf::from);
    let shared = list(&named.unwrap_or_else(|| crates.join("../../shared/golden")));
    if shared.is_empty() {
        println!("neither IMPASTO_GOLDEN nor ../shared/golden has golden files: only the repository's own are checked");
    }
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    files.extend(shared.into_iter().filter(|path| !names.contains(&path.file_name().unwrap().to_owned())));
    files
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    files.sort();
    files
}
