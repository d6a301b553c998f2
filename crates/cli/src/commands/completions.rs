//! `reception completions`.

use std::io::{self, Write};

use clap::CommandFactory;

use crate::{
    args::{Cli, Completions},
    exit::Outcome,
    output::Broken,
};

pub(super) fn carry_out(completions: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "reception", &mut script);
    io::stdout().write_all(&script).map_err(Broken::from)?;
    Ok(0)
}
