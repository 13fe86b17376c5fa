//! Weight files made by the libraries that people make them with (`scripts/make_weight_files.py`), read back: the values
//! follow a formula that is computed here once more, so nothing is compared with the reader's own output.

#[path = "support/small_network.rs"]
mod small_network;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use impasto_vgg::formats::{self, ConvolutionShape, Format, StoredAs, WeightsFile};
use impasto_vgg::{ConvolutionWeights, MEAN_RGB, Weights, WeightsError};
use small_network::{SMALL, kernel, kernel_value};

/// The script's bias.
fn bias_value(layer: usize, o: usize) -> f32 {
    (((3 * o + layer) % 16) as f32 - 7.0) / 8.0
}

fn small_network() -> Vec<ConvolutionWeights> {
    SMALL
        .iter()
        .enumerate()
        .map(|(layer, shape)| {
            let bias = (0..shape.outputs).map(|o| bias_value(layer, o)).collect();
            ConvolutionWeights::from_values(shape.outputs, shape.inputs, kernel(layer), bias)
        })
        .collect()
}

/// The small network as it is where a first layer sees `scale (x - M) + shift`, a channel each.
fn small_network_folded(scale: [f64; 3], shift: [f64; 3]) -> Vec<ConvolutionWeights> {
    let mut network = small_network();
    let kernel = (0..2 * 27)
        .map(|at| (f64::from(kernel_value(0, at / 27, at / 9 % 3, at / 3 % 3, at % 3)) * scale[at / 9 % 3]) as f32);
    let bias = (0..2).map(|o| {
        let taps = (0..27).map(|at| f64::from(kernel_value(0, o, at / 9, at / 3 % 3, at % 3)) * shift[at / 9]);
        (f64::from(bias_value(0, o)) + taps.sum::<f64>()) as f32
    });
    network[0] = ConvolutionWeights::from_values(2, 3, kernel.collect(), bias.collect());
    network
}

/// torchvision's documented input: (x / 255 - mean) / deviation.
fn torchvision_network() -> Vec<ConvolutionWeights> {
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let scale = deviation.map(|deviation: f64| 1.0 / (255.0 * deviation));
    let shift = std::array::from_fn(|c| (f64::from(MEAN_RGB[c]) / 255.0 - mean[c]) / deviation[c]);
    small_network_folded(scale, shift)
}

fn read_small(path: &Path) -> Result<WeightsFile, WeightsError> {
    formats::read_network(&mut fs::File::open(path).expect("the file"), &SMALL)
}

/// The largest difference between two networks' values, relative to the largest value of the tensor.
fn difference(found: &[ConvolutionWeights], expected: &[ConvolutionWeights]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected).flat_map(|(found, expected)| {
        assert_eq!((found.outputs, found.inputs), (expected.outputs, expected.inputs));
        [(found.kernel().into_owned(), expected.kernel().into_owned()), (found.bias.clone(), expected.bias.clone())]
    });
    pairs
        .map(|(found, expected)| {
            assert_eq!(found.len(), expected.len());
            let scale = expected.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
            found.iter().zip(&expected).fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs() / scale))
        })
        .fold(0.0, f32::max)
}

/// What a file holds.
#[derive(Clone, Copy)]
enum Holds {
    /// The small network.
    Ours,
    /// The same in a first layer that sees torchvision's input.
    Torchvision,
    /// The same, behind a mean that is ours plus 1: x - A = (x - M) - 1.
    OtherMean,
}

/// Every file that the script's `small` writes.
const FILES: [(&str, Format, Holds); 26] = [
    ("own_f32.safetensors", Format::Safetensors, Holds::Ours),
    ("own_f16.safetensors", Format::Safetensors, Holds::Ours),
    ("own_bf16.safetensors", Format::Safetensors, Holds::Ours),
    ("own_f64.safetensors", Format::Safetensors, Holds::Ours),
    ("torchvision.safetensors", Format::Safetensors, Holds::Torchvision),
    ("plain.mat", Format::Mat, Holds::Ours),
    ("compressed.mat", Format::Mat, Holds::Ours),
    ("inside_net.mat", Format::Mat, Holds::Ours),
    ("old_doubles_other_mean.mat", Format::Mat, Holds::OtherMean),
    ("zip.pth", Format::Pth, Holds::Torchvision),
    ("legacy.pth", Format::Pth, Holds::Torchvision),
    ("legacy_f64.pth", Format::Pth, Holds::Torchvision),
    ("channels_last_in_checkpoint.pth", Format::Pth, Holds::Torchvision),
    ("parameters_bf16.pth", Format::Pth, Holds::Torchvision),
    ("one_storage_f16.pth", Format::Pth, Holds::Torchvision),
    ("contiguous.h5", Format::Hdf5, Holds::Ours),
    ("chunked_gzip.h5", Format::Hdf5, Holds::Ours),
    ("latest.h5", Format::Hdf5, Holds::Ours),
    ("latest_gzip.h5", Format::Hdf5, Holds::Ours),
    ("latest_one_chunk.h5", Format::Hdf5, Holds::Ours),
    ("latest_chunks.h5", Format::Hdf5, Holds::Ours),
    ("latest_many_links.h5", Format::Hdf5, Holds::Ours),
    ("older_names.h5", Format::Hdf5, Holds::Ours),
    ("keras3.weights.h5", Format::Hdf5, Holds::Ours),
    ("whole_model.h5", Format::Hdf5, Holds::Ours),
    ("doubles_big_endian.h5", Format::Hdf5, Holds::Ours),
];

/// Reads every one of `FILES` that stands in `folder`; says how many did.
fn read_all(folder: &Path) -> usize {
    let networks = [small_network(), torchvision_network(), small_network_folded([1.0; 3], [-1.0; 3])];
    let mut failures = Vec::new();
    let mut read = 0;
    for (name, format, holds) in FILES {
        let path = folder.join(name);
        if !path.exists() {
            println!("not there: {name}");
            continue;
        }
        read += 1;
        match read_small(&path) {
            Err(error) => failures.push(format!("{name} {error}")),
            Ok(file) if file.format != format => failures.push(format!("{name} was taken for {:?}", file.format)),
            Ok(file) => {
                let difference = difference(&file.convolutions, &networks[holds as usize]);
                // Folding multiplies in f64 and rounds once.
                if difference > 1e-6 {
                    failures.push(format!("{name} is {difference} off"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    read
}

#[test]
fn files_of_the_real_libraries_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/weights");
    assert_eq!(read_all(&folder), FILES.len());
    let there = fs::read_dir(folder).expect("the folder is part of the repository").count();
    assert_eq!(there, FILES.len(), "a file that is not in the list is not tested");
}

/// Files made a minute ago by the libraries of today, where someone has made them: the script's `small`. Those of torch, which
/// is too large to be installed for a test, may be left out.
#[test]
fn files_of_todays_libraries_are_read() {
    let Some(folder) = std::env::var_os("IMPASTO_SMALL_WEIGHT_FILES") else {
        println!("skipped: IMPASTO_SMALL_WEIGHT_FILES names no folder made by scripts/make_weight_files.py");
        return;
    };
    let read = read_all(Path::new(&folder));
    println!("{read} of {} files read", FILES.len());
    assert!(read >= 19, "only {read} files are there");
}

#[test]
fn embedded_weights_go_out_and_come_back() {
    let embedded = Weights::embedded();
    for (stored_as, tolerance) in
        [(StoredAs::Held, 0.0), (StoredAs::F32, 0.0), (StoredAs::F16, 1.0 / 2048.0), (StoredAs::Bf16, 1.0 / 256.0)]
    {
        let bytes = formats::write_safetensors(&embedded, stored_as).expect("they are finite");
        let back = Weights::from_bytes(&bytes).expect("it was just written");
        let difference = difference(back.convolutions(), embedded.convolutions());
        assert!(difference <= tolerance, "{stored_as:?} is {difference} off");
        let held = back.convolutions().iter().all(|convolution| convolution.codebook().is_some());
        assert_eq!(held, stored_as == StoredAs::Held);
    }
}

/// Exports of all of VGG-19 by the real libraries, where someone has made them: the script's `full`.
#[test]
fn full_size_exports_come_back_equal() {
    let Some(folder) = std::env::var_os("IMPASTO_WEIGHT_FILES") else {
        println!("skipped: IMPASTO_WEIGHT_FILES names no folder made by scripts/make_weight_files.py");
        return;
    };
    let embedded = Weights::embedded();
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(!names.is_empty());
    for path in names {
        let file = formats::read_file(&path).unwrap_or_else(|error| panic!("{} {error}", path.display()));
        println!("{}: {:?}", path.display(), file.notes);
        assert_eq!(difference(&file.convolutions, embedded.convolutions()), 0.0, "{}", path.display());
    }
}

#[test]
fn a_release_is_known_by_its_first_layer_whatever_its_axes() {
    let embedded = Weights::embedded();
    let first = ConvolutionShape { block: 1, place: 1, inputs: 3, outputs: 64 };
    let kernel = embedded.convolutions()[0].kernel().into_owned();
    let bias = &embedded.convolutions()[0].bias;
    let blue_first: Vec<f32> = kernel.chunks(27).flat_map(|f| [&f[18..], &f[9..18], &f[..9]].concat()).collect();
    // torchvision's names, but the release's values: not folded, and put into red's order.
    for kernel_in_file in [&kernel, &blue_first] {
        let f32_bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let (weight, bias_bytes) = (f32_bytes(kernel_in_file), f32_bytes(bias));
        let view =
            |shape: Vec<usize>, bytes| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, bytes);
        let tensors = [
            ("features.0.weight", view(vec![64, 3, 3, 3], &weight).unwrap()),
            ("features.0.bias", view(vec![64], &bias_bytes).unwrap()),
        ];
        let bytes = safetensors::serialize(tensors, None).unwrap();
        let file = formats::read_network(&mut Cursor::new(bytes), &[first]).unwrap();
        assert_eq!(difference(&file.convolutions, &embedded.convolutions()[..1]), 0.0);
    }
}
