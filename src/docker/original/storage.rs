//! What is mounted in a stranger's container, as a spec has it.

use super::{Losses, some};
use crate::domain::spec::{Mount, MountKind};
use bollard::models::{HostConfig, MountPoint};

/// Everything mounted that has a name; anonymous volumes go along by their names when the container is made.
pub(super) fn storage(seen: &[MountPoint], host: &HostConfig, losses: &mut Losses) -> Vec<Mount> {
    let asked = |target: &str| host.mounts.iter().flatten().find(|mount| mount.target.as_deref() == Some(target));
    let mut mounts: Vec<Mount> = Vec::new();
    for point in seen {
        let target = point.destination.clone().unwrap_or_default();
        let options = asked(&target);
        // The engine shows a mode of its own invention; what was asked for is in the bind.
        let mode = bind_mode(host, &target);
        if mode.split(',').any(|word| word.eq_ignore_ascii_case("z")) {
            losses.say(format!("the SELinux relabelling ({mode}) of its mount at {target} is not done again"));
        }
        let kind = match point.typ.as_deref() {
            Some("volume") => MountKind::Volume,
            Some("tmpfs") => MountKind::Tmpfs,
            Some("bind") | None => MountKind::Bind,
            Some(other) => {
                losses.say(format!("its mount at {target} is of the kind {other}, which is not known here"));
                continue;
            }
        };
        let source = match kind {
            MountKind::Volume => point.name.clone(),
            MountKind::Bind => point.source.clone(),
            MountKind::Tmpfs => None,
        }
        .unwrap_or_default();
        if kind == MountKind::Volume && is_anonymous(&source) {
            continue;
        }
        let tmpfs = options.and_then(|mount| mount.tmpfs_options.clone()).unwrap_or_default();
        mounts.push(Mount {
            kind,
            source,
            target,
            read_only: point.rw == Some(false),
            // The engine's own default says nothing.
            propagation: some(point.propagation.as_ref()).filter(|word| kind == MountKind::Bind && word != "rprivate"),
            // `-v` made the path when it was missing; `--mount` would not have.
            create_host_path: kind == MountKind::Bind && options.is_none(),
            nocopy: mode.split(',').any(|word| word == "nocopy")
                || options.and_then(|mount| mount.volume_options.as_ref()?.no_copy).unwrap_or_default(),
            tmpfs_size: tmpfs.size_bytes,
            tmpfs_mode: tmpfs.mode.and_then(|mode| u32::try_from(mode).ok()),
        });
    }
    mounts.sort_by(|a, b| a.target.cmp(&b.target));
    mounts
}

/// `ro,z` of `/srv:/data:ro,z`.
fn bind_mode<'h>(host: &'h HostConfig, target: &str) -> &'h str {
    let binds = host.binds.iter().flatten();
    binds.filter_map(|bind| bind.split_once(&format!(":{target}:"))).map(|(_, mode)| mode).next().unwrap_or_default()
}

fn is_anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
}
