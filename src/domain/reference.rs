//! What an image may be called (the distribution project's reference grammar): `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
//!
//! Checked before anything is planned: a registry would only say so once everything else has begun.

/// Whether an engine takes it for a reference, or for an image's id.
pub fn is_reference(text: &str) -> bool {
    let (named, digest) = text.split_once('@').map_or((text, None), |(named, digest)| (named, Some(digest)));
    // The tag is behind the last slash: before it, a colon is a port's.
    let last = named.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match named[last..].split_once(':') {
        Some((_, tag)) => (&named[..named.len() - tag.len() - 1], Some(tag)),
        None => (named, None),
    };
    let path = match name.split_once('/') {
        Some((host, path)) if is_host(host) => path,
        _ => name,
    };
    path.split('/').all(is_part) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

/// Unlike the beginning of a path it has a dot, a port or a capital letter, or is `localhost`.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((ip, "")) => return is_ip(ip),
        Some((ip, rest)) => return is_ip(ip) && rest.strip_prefix(':').is_some_and(is_port),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let word = |word: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !word.is_empty() && word.bytes().all(inside) && !word.starts_with('-') && !word.ends_with('-')
    };
    let is_told =
        host.contains('.') || port.is_some() || host == "localhost" || host.contains(|c: char| c.is_ascii_uppercase());
    is_told && host.split('.').all(word) && port.is_none_or(is_port)
}

fn is_ip(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Small letters and digits, with a dot, one or two underscores or any number of dashes between them.
fn is_part(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut between = text.split(|c: char| u8::try_from(c).is_ok_and(is_word)).filter(|between| !between.is_empty());
    text.bytes().next().is_some_and(is_word)
        && text.bytes().last().is_some_and(is_word)
        && between.all(|between| matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(inside) && !text.starts_with(['.', '-'])
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(kind, sum)| {
        kind.starts_with(|c: char| c.is_ascii_alphabetic())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+._-".contains(&byte))
            && !sum.is_empty()
            && sum.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_take() {
        let sum = "0f".repeat(32);
        for good in [
            "web",
            "web:v1",
            "web:1.10-rc1",
            "library/web",
            "a.b/c__d/e--f_g.h:T_1",
            "localhost/web",
            "localhost:5000/web:v1",
            "127.0.0.1:5000/shop/web",
            "[::1]:5000/web",
            "Registry/web",
            "registry.example:443/shop/web@sha256:{}",
            "web:v1@sha256:{}",
            "sha256:{}",
            "{}",
            "0f0f0f0f0f0f",
        ] {
            let good = good.replace("{}", &sum);
            assert!(is_reference(&good), "{good}");
        }
        for bad in [
            "",
            ":v1",
            "Web",
            "shop/Web:v1",
            "BAD::image",
            "web:",
            "web:v 1",
            "web:.v1",
            "web..x",
            "web___x",
            "-web",
            "web/",
            "/web",
            "a//b",
            "web@",
            "web@sha256:",
            "web@sha256:xyz",
            "r.example/web:1.8r.example/web:9",
            "r.example:port/web",
            "[::1/web",
            "[x]:1/web",
            "wéb",
        ] {
            assert!(!is_reference(bad), "{bad}");
        }
    }
}
