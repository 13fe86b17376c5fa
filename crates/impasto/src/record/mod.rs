//! Runs that are kept: the folder of a run ([`run_folder`]), what writes it ([`recorder`]), and event files for TensorBoard
//! ([`tensorboard`]).

pub mod recorder;
pub mod run_folder;
pub mod tensorboard;
