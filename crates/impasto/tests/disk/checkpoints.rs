//! Of the two generations of a checkpoint one is whole, whatever the disk does.

use std::path::Path;

use impasto::Scale;
use impasto::checkpoint::{Checkpoint, Keeper, NAMES, Place, Snapshot};
use impasto::disk::DiskError;
use impasto::optimiser::optimiser;
use impasto::recipe::{OptimizerKind, Recipe};

use crate::faulty::FaultyDisk;

/// Every evaluation of a tiny run, as checkpoints show it.
fn save_evaluations(keeper: &mut Keeper<'_>, evaluations: std::ops::RangeInclusive<u32>) -> Result<(), DiskError> {
    let recipe = Recipe { optimizer: Some(OptimizerKind::Adam), ..Recipe::default() }.resolve().unwrap();
    let mut optimiser = optimiser(&recipe, 4, 4);
    let mut picture = vec![100.0; 48];
    optimiser.advance(&mut picture, 1.0, &[0.5; 48]);
    for evaluations in evaluations {
        let place = Place { scale_index: 0, scale_evaluations: evaluations, iterations: evaluations, evaluations };
        let scale = Scale { width: 4, height: 4, evaluations: 9 };
        let (picture, optimiser) = (picture.as_slice(), optimiser.as_ref());
        keeper.save(&Snapshot { recipe: &recipe, scale, place, losses: None, picture, optimiser, matches: &[] })?;
    }
    Ok(())
}

#[test]
fn whatever_the_disk_does_a_whole_checkpoint_is_there() {
    let newest = |disk: &FaultyDisk| {
        let whole = NAMES.iter().filter_map(|name| {
            let path = Path::new("run").join(name);
            Checkpoint::decode(&disk.contents(&path)?, &path).ok()
        });
        whole.map(|checkpoint| checkpoint.place.evaluations).max()
    };
    let mut found = [0; 4];
    for seed in 0..10_000 {
        let disk = FaultyDisk::new(seed);
        let mut keeper = Keeper::new(&disk, Path::new("run"), None);
        save_evaluations(&mut keeper, 1..=2).unwrap();
        let operations = disk.operations();
        disk.fail_at(operations + seed as usize % 24, seed % 3 != 0);
        let saved = save_evaluations(&mut keeper, 3..=3);
        for state in [disk.clone(), disk.after_power_cut()] {
            let newest = newest(&state).expect("a whole checkpoint");
            assert!(newest == 3 || (newest == 2 && saved.is_err()), "seed {seed}: {newest}, {saved:?}");
            found[newest as usize] += 1;
        }
        // A disk that failed once takes the next checkpoint.
        if seed % 3 == 0 && saved.is_err() {
            save_evaluations(&mut keeper, 4..=4).unwrap();
            assert_eq!(newest(&disk.after_power_cut()), Some(4), "seed {seed}");
        }
    }
    assert!(found[2] > 1_000 && found[3] > 1_000, "the test must see both: {found:?}");
}
