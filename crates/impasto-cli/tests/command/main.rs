//! The program as a user runs it: arguments, environment and files in; exit status, output and files out.

mod bad_input;
mod batch;
mod colours;
mod devices;
mod documents;
mod figures;
#[cfg(unix)]
mod finished;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(unix)]
mod interrupt;
mod json;
#[cfg(unix)]
mod kept_formats;
#[cfg(unix)]
mod kill;
mod log_dir;
mod measure;
#[cfg(unix)]
mod memory_limits;
#[cfg(unix)]
mod output_places;
mod paint;
mod photos;
#[cfg(unix)]
mod pipes;
mod recipes;
mod regions;
mod report;
mod reports;
#[cfg(unix)]
mod runs;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod stopped_sweep;
#[cfg(unix)]
mod studio;
#[cfg(target_os = "linux")]
mod system_calls;
#[cfg(unix)]
mod timeline;
mod video;
#[cfg(unix)]
mod watched;
mod weights;
mod workshop;
