//! A folder with photos and a painting in it, and orders that are done in a moment.

#![allow(dead_code, reason = "each test has its own use of it")]

use std::path::PathBuf;
use std::sync::Arc;

use impasto::disk::RealDisk;
use impasto::recipe::{Balance, Recipe, Size, parse_layers};
use impasto::write::{WriteOptions, write_picture};
use impasto::{Control, Picture};
use impasto_job::{DeviceChoice, Engines, Files, Finished, Job, Order, Voice};
use tempfile::TempDir;

pub struct Workshop {
    folder: TempDir,
}

impl Workshop {
    /// A fresh folder with `photo.png`, `other.png` and `painting.png`.
    pub fn new() -> Workshop {
        let workshop = Workshop { folder: tempfile::tempdir().unwrap() };
        for (name, width, height, frequency) in
            [("photo.png", 48, 40, 1), ("other.png", 40, 48, 3), ("painting.png", 44, 52, 5)]
        {
            let pixels = (0..width * height).flat_map(|position| {
                let (x, y) = (position % width, position / width);
                [x * 6 * frequency, y * 5 * frequency, (x * y * frequency) / 2].map(|value| (value % 256) as u8)
            });
            let picture = Picture::from_rgb8(width, height, &pixels.collect::<Vec<_>>()).unwrap();
            write_picture(&RealDisk, &workshop.path(name), &picture, WriteOptions::default(), None).unwrap();
        }
        workshop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `photo` after the painting, at two sizes, with layers down to conv3_1.
    pub fn order(&self, photo: &str, iterations: u32) -> Order {
        let layers = |names| Some(parse_layers("", names).unwrap());
        Order {
            content: Some(self.path(photo)),
            styles: vec![self.path("painting.png")],
            recipe: Recipe {
                size: Some(Size::LongEdge(80)),
                levels: Some(2),
                coarse_iterations: Some(2),
                iterations: Some(iterations),
                // In proportion, each photo would be looked at once more, before the run.
                balance: Some(Balance::Plain),
                style_layers: layers("conv1_1,conv2_1,conv3_1"),
                content_layers: layers("conv2_2"),
                ..Recipe::default()
            },
            ..Order::default()
        }
    }

    pub fn files(&self, output: &str) -> Files {
        Files { output: Some(self.path(output).into()), ..Files::default() }
    }

    /// Does a job to its end.
    pub fn paint(&self, engines: &mut Engines, photo: &str, output: &str) -> Finished {
        let job = Job::new(&self.order(photo, 3), &self.files(output), None).unwrap();
        let finished = job.prepare(engines).unwrap().perform(&mut |_| Control::Continue).unwrap();
        assert_eq!(finished.failure(), None);
        finished
    }
}

/// A voice that nobody hears.
pub fn silence() -> Voice {
    Arc::new(|_: &str| {})
}

/// Engines on the processor, for one job after another.
pub fn engines() -> Engines {
    Engines::for_many_jobs(DeviceChoice::Cpu, Some(2), silence())
}
