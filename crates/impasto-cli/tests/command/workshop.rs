//! A folder with a photo and a painting in it, where the program is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use impasto::Picture;
use impasto::disk::RealDisk;
use impasto::write::{WriteOptions, write_picture};
use tempfile::TempDir;

/// Options under which a picture takes a moment: small, and no layer deeper than conv2_2.
pub const QUICK: [&str; 10] = [
    "--size",
    "32",
    "--levels",
    "1",
    "--iterations",
    "4",
    "--style-layers",
    "conv1_1,conv2_1",
    "--content-layers",
    "conv2_2",
];

/// A list of Vulkan drivers that has none in it.
pub const NO_DRIVER: &str = "/nonexistent/driver.json";

pub struct Workshop {
    folder: TempDir,
}

impl Workshop {
    /// A fresh folder with `photo.png` and `painting.png`.
    pub fn new() -> Workshop {
        let workshop = Workshop { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(workshop.path("temporary")).unwrap();
        workshop.draw("photo.png", 40, 30, 1);
        workshop.draw("painting.png", 36, 44, 5);
        workshop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a picture of stripes and slopes; another `frequency`, another picture.
    pub fn draw(&self, name: &str, width: usize, height: usize, frequency: usize) {
        let pixels = (0..width * height).flat_map(|position| {
            let (x, y) = (position % width, position / width);
            [x * 6 * frequency, y * 5 * frequency, (x * y * frequency) / 2].map(|value| (value % 256) as u8)
        });
        let picture = Picture::from_rgb8(width, height, &pixels.collect::<Vec<_>>()).unwrap();
        write_picture(&RealDisk, &self.path(name), &picture, WriteOptions::default(), None).unwrap();
        let _ = std::fs::remove_file(self.path(&format!("{name}.recipe.json")));
    }

    /// The program, about to be run in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_impasto"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("IMPASTO_ISA").env_remove("RUST_BACKTRACE");
        // What this machine has fetched is nothing to a test.
        command.env("IMPASTO_CACHE", self.path("cache"));
        // Nor does a picture that is rescued stay on it.
        command.env("TMPDIR", self.path("temporary"));
        // Nor are its GPUs, but to the tests that are about them.
        command.env("VK_DRIVER_FILES", NO_DRIVER).env("VK_ICD_FILENAMES", NO_DRIVER);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs and demands success; gives what was written to standard output.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `paint photo.png painting.png -o OUT` with [`QUICK`] and more.
    pub fn paint(&self, output: &str, more: &[&str]) -> String {
        self.succeed(&paint_arguments(output, more))
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Every file of the folder with its bytes.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files_of(self.folder.path())
    }

    /// What is wrong with how the program refuses `arguments`; empty where it is one sentence that holds `needle`, the
    /// exit status, nothing on standard output and nothing changed on disk.
    pub fn complaints_about_refusal(&self, mut command: Command, status: i32, needle: &str) -> Vec<String> {
        let before = self.files();
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let mut complaints = Vec::new();
        let mut demand = |holds: bool, what: &str| {
            if !holds {
                complaints.push(format!("{what} ({:?}): {said}", command.get_args().collect::<Vec<_>>()));
            }
        };
        demand(output.status.code() == Some(status), &format!("status {:?}, not {status}", output.status.code()));
        demand(said.starts_with("impasto: ") && said.ends_with('\n') && said.lines().count() == 1, "not one sentence");
        demand(said.contains(needle), &format!("does not say \"{needle}\""));
        demand(!said.contains("panicked"), "panicked");
        demand(output.stdout.is_empty(), "wrote to standard output");
        demand(self.files() == before, "left something behind");
        complaints
    }
}

pub fn paint_arguments<'arguments>(output: &'arguments str, more: &[&'arguments str]) -> Vec<&'arguments str> {
    let mut arguments = vec!["paint", "photo.png", "painting.png", "-o", output];
    arguments.extend(QUICK);
    // An option is given once: what a test asks for replaces what is quick.
    for option in more.iter().filter(|word| word.starts_with("--")) {
        if let Some(place) = arguments.iter().position(|word| word == option) {
            arguments.drain(place..place + 2);
        }
    }
    arguments.extend(more);
    arguments
}

/// Every file below a folder with its bytes.
pub fn files_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_of(&path)),
            false => {
                files.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}
