//! The golden comparison: right engines pass, wrong ones do not, and bad files are sentences.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use impasto::selftest::{EMBEDDED_GOLDEN, GoldenFile, SelftestError};
use impasto_vgg::{
    ConvolutionWeights, CpuEngine, CpuOptions, Engine, EngineDescription, EngineError, FeatureMap, Layer, Observation,
    ObservationGradients, Precision, Session, SessionRequest, TapGuides, Weights,
};

fn engine(weights: Weights) -> CpuEngine {
    CpuEngine::new(weights.into(), CpuOptions::default()).unwrap()
}

fn right_engine() -> CpuEngine {
    engine(Weights::clone(&Weights::embedded()))
}

/// The golden files of the repository, and those beside it where they are, each once.
fn golden_files() -> Vec<PathBuf> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    let named = std::env::var_os("IMPASTO_GOLDEN").map(PathBuf::from);
    let beside = named.unwrap_or_else(|| crate_folder.join("../../../shared/golden"));
    for folder in [crate_folder.join("../impasto-vgg/tests/data/golden"), beside] {
        match std::fs::read_dir(&folder) {
            Ok(entries) => files.extend(entries.map(|entry| entry.unwrap()).map(|it| (it.file_name(), it.path()))),
            Err(_) => println!("skipped: there is no {}", folder.display()),
        }
    }
    files.retain(|_, file| file.extension().is_some_and(|extension| extension == "safetensors"));
    assert!(files.len() >= 4, "the repository has four golden files");
    files.into_values().collect()
}

/// The instruction set that a program takes; each of the others is held to these files by impasto-vgg's tests, and to the
/// embedded one by `impasto selftest`.
#[test]
fn a_right_engine_is_right_on_every_golden_file() {
    let (engine, mut wrong) = (right_engine(), Vec::new());
    for file in golden_files() {
        let report = GoldenFile::read(&std::fs::read(&file).unwrap()).unwrap().compare(&engine).unwrap();
        println!("{} {}: {report:?}", engine.describe().isa, file.display());
        if !report.ok {
            wrong.push((file, report));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The embedded weights, with every bias of convolution `index` larger by `by`.
fn weights_with_a_fault(index: usize, by: f32) -> Weights {
    let mut convolutions = Weights::embedded().convolutions().to_vec();
    let right = &convolutions[index];
    let bias = right.bias.iter().map(|bias| bias + by).collect();
    let wrong = ConvolutionWeights::from_values(right.outputs, right.inputs, right.kernel().into_owned(), bias);
    convolutions[index] = wrong;
    Weights::from_convolutions(convolutions).unwrap()
}

#[test]
fn wrong_weights_are_noticed_in_the_first_layer_and_in_the_last() {
    let golden = GoldenFile::read(EMBEDDED_GOLDEN).unwrap();
    for index in [0, 15] {
        let report = golden.compare(&engine(weights_with_a_fault(index, 1.0))).unwrap();
        assert!(!report.ok && report.features > 2e-5, "convolution {index}: {report:?}");
    }
    let report = golden.compare(&engine(weights_with_a_fault(3, f32::NAN))).unwrap();
    assert!(!report.ok && report.features.is_nan(), "{report:?}");
}

/// A right engine whose gradient is wrong by a factor, or whose losses are.
struct Scaled<'a> {
    engine: &'a CpuEngine,
    gradient: f32,
    distance: f64,
}

struct ScaledSession {
    session: Box<dyn Session>,
    gradient: f32,
    distance: f64,
}

impl Engine for Scaled<'_> {
    fn describe(&self) -> EngineDescription {
        self.engine.describe()
    }

    fn session(&self, request: &SessionRequest) -> Result<Box<dyn Session>, EngineError> {
        let session = self.engine.session(request)?;
        Ok(Box::new(ScaledSession { session, gradient: self.gradient, distance: self.distance }))
    }

    fn session_bytes(&self, request: &SessionRequest) -> Result<u64, EngineError> {
        self.engine.session_bytes(request)
    }
}

impl Session for ScaledSession {
    fn request(&self) -> &SessionRequest {
        self.session.request()
    }

    fn set_content(&mut self, image: &[f32]) -> Result<(), EngineError> {
        self.session.set_content(image)
    }

    fn set_guides(&mut self, guides: Vec<TapGuides>) -> Result<(), EngineError> {
        self.session.set_guides(guides)
    }

    fn set_emphasis(&mut self, map: &[f32]) -> Result<(), EngineError> {
        self.session.set_emphasis(map)
    }

    fn forward(&mut self, image: &[f32]) -> Result<Observation, EngineError> {
        let mut observation = self.session.forward(image)?;
        observation.distances.iter_mut().for_each(|distance| distance.sum_of_squares *= self.distance);
        Ok(observation)
    }

    fn backward(&mut self, gradients: &ObservationGradients, pixel_gradient: &mut [f32]) -> Result<(), EngineError> {
        self.session.backward(gradients, pixel_gradient)?;
        pixel_gradient.iter_mut().for_each(|value| *value *= self.gradient);
        Ok(())
    }

    fn feature_map(&mut self, image: &[f32], layer: Layer) -> Result<FeatureMap, EngineError> {
        self.session.feature_map(image, layer)
    }

    fn set_precision(&mut self, precision: Precision) {
        self.session.set_precision(precision);
    }
}

#[test]
fn a_wrong_gradient_and_a_wrong_loss_are_noticed_by_themselves() {
    let golden = GoldenFile::read(EMBEDDED_GOLDEN).unwrap();
    let engine = right_engine();
    let report = golden.compare(&Scaled { engine: &engine, gradient: 1.0002, distance: 1.0 }).unwrap();
    assert!(!report.ok && report.features < 2e-5 && report.losses < 1e-5, "{report:?}");
    assert!((report.gradient_max - 2e-4).abs() < 2e-5 && (report.gradient_l2 - 2e-4).abs() < 2e-5, "{report:?}");
    let report = golden.compare(&Scaled { engine: &engine, gradient: 1.0, distance: 1.00002 }).unwrap();
    assert!(!report.ok && (report.losses - 2e-5).abs() < 5e-6 && report.gradient_max < 1e-4, "{report:?}");
    assert!(golden.compare(&Scaled { engine: &engine, gradient: 1.0, distance: 1.0 }).unwrap().ok);
}

/// The embedded file with one text of its header replaced by another of the same length.
fn edited(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let place = EMBEDDED_GOLDEN.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    let mut bytes = EMBEDDED_GOLDEN.to_vec();
    bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn a_bad_file_is_a_sentence() {
    let mut not_finite = EMBEDDED_GOLDEN.to_vec();
    let header = u64::from_le_bytes(not_finite[..8].try_into().unwrap()) as usize;
    not_finite[8 + header..8 + header + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    type Expected = fn(&SelftestError) -> bool;
    let cases: [(&str, Vec<u8>, Expected); 12] = [
        ("nothing", Vec::new(), |error| matches!(error, SelftestError::Format(_))),
        ("text", b"these are words, not tensors".to_vec(), |error| matches!(error, SelftestError::Format(_))),
        ("a huge header", vec![0xff; 64], |error| matches!(error, SelftestError::Format(_))),
        ("weights", impasto_weights(), |error| matches!(error, SelftestError::Missing(_))),
        ("another pooling", edited("max 2x2 stride", "mix 2x2 stride"), |error| {
            matches!(error, SelftestError::Metadata { key: "pool", .. })
        }),
        ("a bound without a number", edited("max 1e-4", "max nan "), |error| {
            matches!(error, SelftestError::Metadata { key: "gradient_bound", .. })
        }),
        ("an unknown bound", edited("max 1e-4", "mux 1e-4"), |error| {
            matches!(error, SelftestError::Metadata { key: "gradient_bound", .. })
        }),
        ("no gradient", edited("\"grad_style\"", "\"grad_stylo\""), |error| {
            *error == SelftestError::Missing("grad_style".into())
        }),
        ("an unknown layer", edited("\"mean_conv5_4\"", "\"mean_conv5_9\""), |error| {
            matches!(error, SelftestError::Shape { .. })
        }),
        ("another shape", edited("[512, 5, 6]", "[512, 6, 5]"), |error| matches!(error, SelftestError::Shape { .. })),
        ("another type", edited("\"F64\", \"shape\": [8]", "\"I64\", \"shape\": [8]"), |error| {
            matches!(error, SelftestError::Shape { .. })
        }),
        ("NaN", not_finite, |error| matches!(error, SelftestError::NotFinite(_))),
    ];
    for (what, bytes, expected) in cases {
        let error = GoldenFile::read(&bytes).expect_err(what);
        assert!(expected(&error), "{what}: {error:?}");
        let sentence = error.to_string();
        assert!(!sentence.contains('\n') && sentence.len() < 300, "{what}: {sentence}");
    }
}

fn impasto_weights() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read(folder.join("../impasto-weights-late/data/vgg19-late.safetensors")).unwrap()
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    for end in (0..EMBEDDED_GOLDEN.len()).step_by(9973).chain(0..400) {
        assert!(matches!(GoldenFile::read(&EMBEDDED_GOLDEN[..end]), Err(SelftestError::Format(_))), "{end} bytes");
    }
}
