//! TLS to an engine: its certificates from a directory, and in words what goes wrong with them.
//!
//! The directory is laid out as the docker CLI has it: `ca.pem`, `cert.pem`, `key.pem`. Without `ca.pem` the system's
//! authorities count, without the other two no client certificate is shown. Who answers is always checked.

use super::error::{CONNECT, DockerError, Failure, sources, was_cut};
use bollard::errors::Error as ClientError;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const WHERE: &str = "DOCKER_CERT_PATH names the directory with ca.pem, cert.pem and key.pem (else ~/.docker; a Docker context \
                     has its own)";

/// How long an engine may take to say what it has against us.
const LISTEN: Duration = Duration::from_secs(5);

/// What a plain engine's HTTP server is answered by Go's TLS server.
const PLAIN_TO_TLS: &str = "HTTP request to an HTTPS server";

/// How to speak TLS with what lies in `dir`. Files that are there and can't be used are errors.
pub(super) fn config(host: &str, dir: &Path) -> Result<ClientConfig, DockerError> {
    let fail = |words: &str| DockerError::new(CONNECT, host, Failure::Invalid, words).advise(WHERE);
    let roots = authorities(dir).map_err(|words| fail(&words))?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| fail(&error.to_string()))?
        .with_root_certificates(roots);
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    match (cert.exists(), key.exists()) {
        (false, false) => Ok(builder.with_no_client_auth()),
        (true, false) => Err(fail(&format!("there is {}, but no key.pem beside it", cert.display()))),
        (false, true) => Err(fail(&format!("there is {}, but no cert.pem beside it", key.display()))),
        (true, true) => {
            let chain = certificates(&cert).map_err(|words| fail(&words))?;
            let private = PrivateKeyDer::from_pem_file(&key).map_err(|error| fail(&unusable(&key, &error)))?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|error| fail(&format!("{} and {} do not go together: {error}", cert.display(), key.display())))
        }
    }
}

/// Who may vouch for the engine.
fn authorities(dir: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let ca = dir.join("ca.pem");
    if ca.exists() {
        for one in certificates(&ca)? {
            roots.add(one).map_err(|error| format!("{} can't be used: {error}", ca.display()))?;
        }
        return Ok(roots);
    }
    // Of the system's, those that can't be read vouch for nobody.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(format!("there is no {}, and the system trusts no authority either", ca.display()));
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if all.is_empty() => Err(format!("there is no certificate in {}", path.display())),
        Ok(all) => Ok(all),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn unusable(path: &Path, error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => format!("{} can't be read: {error}", path.display()),
        pem::Error::NoItemsFound => format!("there is no private key in {}", path.display()),
        error => format!("{} is no PEM file that can be used: {error}", path.display()),
    }
}

/// What a failed first request to `host` says about TLS, if it was about that. `dir`: where the certificates were taken from.
///
/// An engine that hangs up may do it before its reason has arrived; then it is asked for its reason, with nothing but that.
pub(super) async fn explain(error: &ClientError, host: &str, dir: Option<&Path>) -> Option<DockerError> {
    let mut cause = sources(error).find_map(|source| source.downcast_ref::<rustls::Error>().cloned());
    if let Some(dir) = dir.filter(|_| cause.is_none() && was_cut(error)) {
        cause = reason(host, dir).await;
    }
    in_words(error, cause.as_ref(), host, dir)
}

/// Begins TLS and sends nothing: what the engine has against it.
async fn reason(host: &str, dir: &Path) -> Option<rustls::Error> {
    let (_, address) = host.split_once("://")?;
    let name = ServerName::try_from(address.rsplit_once(':')?.0.trim_matches(['[', ']']).to_owned()).ok()?;
    let connector = TlsConnector::from(Arc::new(config(host, dir).ok()?));
    let listen = async {
        let tcp = TcpStream::connect(address).await?;
        // In TLS 1.3 the client's certificate is judged after the handshake.
        connector.connect(name, tcp).await?.read_u8().await
    };
    match tokio::time::timeout(LISTEN, listen).await {
        Ok(Err(error)) => error.get_ref()?.downcast_ref::<rustls::Error>().cloned(),
        _ => None,
    }
}

fn in_words(error: &ClientError, cause: Option<&rustls::Error>, host: &str, dir: Option<&Path>) -> Option<DockerError> {
    let say = |words: String, hint: &str| {
        Some(DockerError::new(CONNECT, host, Failure::Denied, &words).advise(hint.to_owned()))
    };
    let Some(dir) = dir else {
        let ClientError::DockerResponseServerError { message, .. } = error else { return None };
        return message
            .contains(PLAIN_TO_TLS)
            .then(|| say("the engine there speaks TLS, and was spoken to without".to_owned(), SPEAK_TLS))
            .flatten();
    };
    let (cert, ca) = (dir.join("cert.pem"), dir.join("ca.pem"));
    let shown = |path: &Path| path.display().to_string();
    let wanted = || {
        say(format!("the engine wants a client certificate, and there is none: no {}, no key.pem", shown(&cert)), WHERE)
    };
    let trusted = if ca.exists() { shown(&ca) } else { "the system's authorities (there is no ca.pem)".to_owned() };
    match cause {
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => wanted(),
        // How older engines ask for one.
        Some(rustls::Error::AlertReceived(AlertDescription::BadCertificate | AlertDescription::HandshakeFailure))
            if !cert.exists() =>
        {
            wanted()
        }
        Some(rustls::Error::AlertReceived(alert)) => say(
            format!("the engine does not accept the client certificate {}: it says {alert:?}", shown(&cert)),
            "is it signed by the authority that the engine was given (`--tlscacert`), for client use, and still valid?",
        ),
        Some(rustls::Error::InvalidCertificate(wrong)) => {
            let (what, hint) = untrusted(wrong, &trusted);
            say(what, &hint)
        }
        Some(rustls::Error::InvalidMessage(_)) => say(
            "what answers there does not speak TLS".to_owned(),
            "unset DOCKER_TLS_VERIFY for an engine without TLS; its port with TLS is usually 2376, without 2375",
        ),
        Some(other) => say(format!("TLS: {other}"), WHERE),
        None => None,
    }
}

const SPEAK_TLS: &str =
    "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the directory with ca.pem, cert.pem and key.pem";

fn untrusted(wrong: &CertificateError, trusted: &str) -> (String, String) {
    let of = |what: &str| format!("the engine's certificate {what}");
    match wrong {
        CertificateError::UnknownIssuer => {
            (of(&format!("is vouched for by nobody in {trusted}")), format!("is it the right engine? {WHERE}"))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            of(&format!("is not for this host: {wrong}")),
            "use one of its names, or make it again with this one as a subjectAltName".to_owned(),
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            of(&format!("has expired: {wrong}")),
            "the engine needs a new one; is this machine's clock right?".to_owned(),
        ),
        other => (of(&format!("is not accepted: {other}")), WHERE.to_owned()),
    }
}
