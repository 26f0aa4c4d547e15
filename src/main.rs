//! The program: picks the front end, and is the only place that ends the process.

use pitstop::cli;

fn main() {
    let code = match cli::parse(std::env::args_os()) {
        Ok(cli) => front_end(cli),
        Err(code) => code,
    };
    std::process::exit(i32::from(code))
}

fn front_end(cli: cli::args::Cli) -> u8 {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
        Err(error) => cli::no_runtime(&error),
    }
}
