//! The manual page and the shell completions, from the same definition as `--help`.

use std::io::{self, Write};

use clap::CommandFactory;

use impasto_job::Failure;

use crate::args::Arguments;
use crate::show::Output;

/// `impasto completions`.
///
/// # Errors
/// Standard output could not be written.
pub fn completions(shell: clap_complete::Shell, output: &mut Output) -> Result<(), Failure> {
    output.bytes(&completions_of(shell));
    output.finish()
}

/// `impasto man`.
///
/// # Errors
/// Standard output could not be written.
pub fn manual(output: &mut Output) -> Result<(), Failure> {
    output.bytes(&manual_page().map_err(Failure::failed)?);
    output.finish()
}

/// The completions for a shell.
fn completions_of(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "impasto", &mut script);
    script
}

/// The manual page in roff: the program, then a section for each command.
///
/// # Errors
/// None in practice: it is written to memory.
fn manual_page() -> io::Result<Vec<u8>> {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    write_sections(&command, "IMPASTO", &mut page)?;
    Ok(page)
}

/// A section for each command below `command`, and for those below it.
fn write_sections(command: &clap::Command, above: &str, page: &mut Vec<u8>) -> io::Result<()> {
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let name = format!("{above} {}", subcommand.get_name().to_uppercase());
        writeln!(page, ".SH \"{name}\"")?;
        let section = clap_mangen::Man::new(subcommand.clone());
        section.render_synopsis_section(page)?;
        section.render_description_section(page)?;
        section.render_options_section(page)?;
        write_sections(subcommand, &name, page)?;
    }
    Ok(())
}
