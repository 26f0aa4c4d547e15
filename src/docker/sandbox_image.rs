//! The sandbox image, embedded in pitstop, and images of apps made from the same guest.
//!
//! Bytes only: loading them into an engine is for whoever has a connection. Built by `build.rs`; on a platform
//! without a guest (anything but Linux on x86-64 and ARM64) [`TAG`] is empty and `--sandbox-image` is needed.

use std::io;

pub use super::image_archive::Healthcheck;
use super::image_archive::{self, Image, Layer};

/// The image's name, `pitstop-sandbox:` and twelve hex digits of its content's hash; empty where there is none.
pub const TAG: &str = env!("PITSTOP_SANDBOX_TAG");

/// The image's CPU in Docker's words, `amd64` or `arm64`; empty where there is none.
pub const ARCH: &str = env!("PITSTOP_SANDBOX_ARCH");

/// The image's id in the engine's classic store, `sha256:` and 64 hex digits (the containerd store has another).
pub const ID: &str = env!("PITSTOP_SANDBOX_ID");

/// The label by which images made from the guest are known.
pub const LABEL: &str = "io.pitstop.guest";

/// Where the guest is in its images, for `docker exec`.
pub const GUEST_PATH: &str = image_archive::GUEST_PATH;

/// The sandbox image as a Docker archive, ready to load; empty where there is none.
pub fn archive() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/sandbox.tar"))
}

/// The guest itself, a static Linux executable; empty where there is none.
pub fn guest_binary() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/pitstop-guest"))
}

/// An app's image made from the guest, for the demo, the measurements and the tests: no registry needed.
#[derive(Debug, Default, Clone, Copy)]
pub struct AppImage<'a> {
    /// The guest's arguments, e.g. `["serve", "8080", "v1"]`.
    pub cmd: &'a [&'a str],
    pub labels: &'a [(&'a str, &'a str)],
    pub port: Option<u16>,
    pub healthcheck: Option<Healthcheck<'a>>,
    /// Bytes that no compression makes smaller, spread over [`PADDING_LAYERS`] layers so that they pull side by
    /// side; 0 for an image of the guest alone.
    pub padding: usize,
}

/// How many layers an [`AppImage`]'s padding makes.
pub const PADDING_LAYERS: usize = 3;

/// Packs `image` under the name `tag` as a Docker archive. The padding depends on the tag: two tags share none of it.
pub fn app_archive(tag: &str, image: &AppImage<'_>) -> io::Result<Vec<u8>> {
    let mut layers = vec![Layer::of_guest(guest_binary())?];
    if image.padding > 0 {
        for n in 0..PADDING_LAYERS {
            let size = image.padding / PADDING_LAYERS + usize::from(n < image.padding % PADDING_LAYERS);
            let content = noise(&format!("{tag} {n}"), size);
            layers.push(Layer::of_file(&format!("/padding/{n}"), 0o644, &content)?);
        }
    }
    let AppImage { cmd, labels, port, healthcheck, .. } = *image;
    let config = Image { arch: ARCH, cmd, labels, port, healthcheck }.config(&layers);
    image_archive::archive(tag, &config, &layers)
}

/// `len` bytes of xorshift64* seeded by `seed` (FNV-1a): repeatable and incompressible, good for nothing else.
fn noise(seed: &str, len: usize) -> Vec<u8> {
    let mut state = seed
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
