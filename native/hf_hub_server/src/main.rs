//! The Local Hub: a Hugging Face Hub for one machine or one room.
//!
//! It keeps models, datasets and Spaces as bare git repositories and serves the Hub's clients over HTTP. It
//! runs no Spaces and shares no code with the client library: it is there to judge it.

mod cli;
mod console;
mod job;
mod serve;
mod store;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            console::complain(&err);
            ExitCode::FAILURE
        }
    }
}
