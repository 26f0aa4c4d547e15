//! Compiles the guest with the rustc that compiles pitstop, and packs it into the sandbox image.
//!
//! The guest needs `core` and a linker alone, both there wherever pitstop itself can be built. It is built for the
//! target's CPU, as most engines run on the console's machine; elsewhere (macOS, other CPUs) pitstop is built
//! without a guest and needs `--sandbox-image`. Handed to `src/docker/sandbox_image.rs` through `OUT_DIR` and the
//! environment; two builds of the same sources by the same rustc and linker give the same bytes.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

#[allow(dead_code, unreachable_pub)] // the console uses what this does not
#[path = "src/docker/image_archive.rs"]
mod image_archive;
use image_archive::{Image, Layer};

fn main() -> Result<(), Box<dyn Error>> {
    for path in ["guest", "src/docker/image_archive.rs", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let arch = match (env::var("CARGO_CFG_TARGET_OS")?.as_str(), env::var("CARGO_CFG_TARGET_ARCH")?.as_str()) {
        ("linux", "x86_64") => "amd64",
        ("linux", "aarch64") => "arm64",
        (os, cpu) => {
            println!("cargo::warning=no sandbox image for {os} on {cpu}: pitstop will need --sandbox-image");
            ""
        }
    };
    let (binary, archive) = (out.join("pitstop-guest"), out.join("sandbox.tar"));
    let (mut tag, mut id) = (String::new(), String::new());
    if arch.is_empty() {
        fs::write(&binary, "")?;
        fs::write(&archive, "")?;
    } else {
        compile_guest(&binary)?;
        let layers = [Layer::of_guest(&fs::read(&binary)?)?];
        let image = Image { arch, labels: &[("io.pitstop.guest", "3")], ..Image::default() };
        let config = image.config(&layers);
        id = image_archive::id(&config);
        tag = format!("pitstop-sandbox:{}", &id["sha256:".len()..][..12]);
        fs::write(&archive, image_archive::archive(&tag, &config, &layers)?)?;
    }
    for (name, value) in [("ARCH", arch), ("TAG", &tag), ("ID", &id)] {
        println!("cargo::rustc-env=PITSTOP_SANDBOX_{name}={value}");
    }
    Ok(())
}

/// Compiles `guest/main.rs` into a static executable without libc.
fn compile_guest(to: &Path) -> Result<(), Box<dyn Error>> {
    let mut rustc = Command::new(env::var_os("RUSTC").ok_or("cargo sets RUSTC")?);
    // Relative paths, so that no path of this machine gets into the binary.
    rustc.current_dir(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?);
    rustc.args(["--edition=2024", "--crate-name=pitstop_guest", "--crate-type=bin", "--target"]);
    rustc.arg(env::var("TARGET")?).arg("-o").arg(to).arg("guest/main.rs");
    for option in [
        "panic=abort",
        "opt-level=s",
        "codegen-units=1",
        "force-unwind-tables=no",
        "strip=symbols",
        // A plain static executable at a fixed address: nothing has to be relocated before the first line runs.
        "relocation-model=static",
        "target-feature=+crt-static",
        "link-arg=-nostartfiles",
        "link-arg=-nostdlib",
        // Ubuntu's compiler driver adds one, and it would be most of what differs between two linkers' output.
        "link-arg=-Wl,--build-id=none",
    ] {
        rustc.args(["-C", option]);
    }
    if env::var("CARGO_CFG_TARGET_ENV")? == "musl" {
        // rustc would add musl's own start files. (For glibc the same option would take rustc's linker away.)
        rustc.args(["-C", "link-self-contained=no"]);
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    let output = rustc.output().map_err(|error| format!("cannot run {rustc:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("compiling the guest failed ({}):\n{rustc:?}\n{said}", output.status).into());
    }
    for line in said.lines() {
        println!("cargo::warning={line}");
    }
    Ok(())
}
