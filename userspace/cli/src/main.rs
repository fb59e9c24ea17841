//! The `gemscope` binary; see the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    gemscope_cli::main()
}
