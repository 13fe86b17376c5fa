//! Golden files of losses other than the paper's, through the GPU: it sums moments and takes derivatives by them, by the mean
//! too.

use impasto::selftest::GoldenFile;

use crate::engine;

#[test]
fn the_wasserstein_loss_keeps_the_bounds_of_every_file() {
    let Some(engine) = engine() else { return };
    let named = std::env::var_os("IMPASTO_GOLDEN").map(std::path::PathBuf::from);
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a crate of the workspace");
    let folder = named.unwrap_or_else(|| crates.join("../../shared/golden")).join("losses");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: there is no {}", folder.display());
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let report = GoldenFile::read(&std::fs::read(&path).unwrap()).unwrap().compare(engine).unwrap();
        println!("{}: {report:?}", path.display());
        assert!(report.ok && report.losses > 0.0 && report.gradient_l2 > 0.0, "{}: {report:?}", path.display());
    }
}
