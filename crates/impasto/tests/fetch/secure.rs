//! https: reached, checked, resumed, and never left. The certificates in `tls/` (made by its `make.sh`) are trusted by
//! nobody else.

use std::net::TcpStream;
use std::sync::Arc;

use impasto::fetch::FetchError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::server::{Server, cut, garbage, honest, to_a_file, to_http};
use super::{Folder, has_environment};

/// What a server proves who it is with.
pub struct Identity(Arc<ServerConfig>);

impl Identity {
    /// That of `tls/NAME.pem`.
    fn named(name: &str) -> Identity {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fetch/tls");
        let certificate = CertificateDer::from_pem_file(format!("{folder}/{name}.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(format!("{folder}/{name}-key.pem")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls_graviola::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Identity(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()))
    }

    /// Of this machine.
    fn here() -> Identity {
        Identity::named("here")
    }

    /// The server's end of a connection; the handshake comes with the first bytes.
    pub fn wrap(&self, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        StreamOwned::new(ServerConnection::new(Arc::clone(&self.0)).unwrap(), stream)
    }
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fetch/tls/root.pem");

#[test]
fn a_file_comes_securely() {
    if !has_environment("secure::a_file_comes_securely", &[("SSL_CERT_FILE", ROOT)]) {
        return;
    }
    let folder = Folder::new();
    let server = Server::secure(Identity::here(), vec![cut, honest]);
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
    let requests = server.requests();
    assert!(requests.len() == 2 && requests[1] > 0, "it goes on where it broke off: {requests:?}");

    // By name, and from an http address that leads there, as most servers do.
    let by_name = server.address.replace("127.0.0.1", "localhost");
    let leads_there = Server::redirecting_to(&by_name);
    let folder = Folder::new();
    folder.fetch(&[&leads_there.address]).unwrap();
    folder.assert_whole();

    // A secure server with another file is no better than another one.
    let liar = Server::secure(Identity::here(), vec![garbage]);
    let error = Folder::new().fetch(&[&liar.address]).unwrap_err();
    assert!(matches!(error, FetchError::Sum { .. }), "{error}");
}

#[test]
fn https_is_never_left() {
    if !has_environment("secure::https_is_never_left", &[("SSL_CERT_FILE", ROOT)]) {
        return;
    }
    let folder = Folder::new();
    for (behaviour, needle) in [(to_http as _, "it would leave https"), (to_a_file as _, "no http or https address")] {
        let server = Server::secure(Identity::here(), vec![behaviour]);
        let error = folder.fetch(&[&server.address]).unwrap_err();
        assert!(matches!(error, FetchError::Redirection { .. }), "{error}");
        assert!(error.to_string().contains(needle), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
    assert!(!folder.target().exists());
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_refused() {
    if !has_environment("secure::a_server_that_cannot_prove_who_it_is_is_refused", &[("SSL_CERT_FILE", ROOT)]) {
        return;
    }
    let server = Server::secure(Identity::named("elsewhere"), vec![honest]);
    let error = Folder::new().fetch(&[&server.address]).unwrap_err();
    assert!(matches!(error, FetchError::Insecure { .. }), "{error}");
    assert!(error.to_string().contains("certificate not valid for name"), "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_root_that_nobody_named_is_not_trusted() {
    let server = Server::secure(Identity::here(), vec![honest]);
    let folder = Folder::new();
    let error = folder.fetch(&[&server.address]).unwrap_err();
    assert!(matches!(error, FetchError::Insecure { .. }), "{error}");
    assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    assert_eq!(server.requests().len(), 0, "it was told nothing");
    // The next mirror is asked.
    let plain = Server::start(vec![honest]);
    folder.fetch(&[&server.address, &plain.address]).unwrap();
    folder.assert_whole();
}

#[test]
fn a_file_of_roots_that_is_none_is_said() {
    const NONE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    if !has_environment("secure::a_file_of_roots_that_is_none_is_said", &[("SSL_CERT_FILE", NONE)]) {
        return;
    }
    let error = Folder::new().fetch(&["https://127.0.0.1:1/small.bin"]).unwrap_err().to_string();
    assert!(error.contains("no certificate") && error.contains("Cargo.toml"), "{error}");
}

/// One without an end would fill the memory.
#[test]
#[cfg(unix)]
fn a_file_of_roots_that_is_no_file_is_not_read() {
    if !has_environment("secure::a_file_of_roots_that_is_no_file_is_not_read", &[("SSL_CERT_FILE", "/dev/zero")]) {
        return;
    }
    let error = Folder::new().fetch(&["https://127.0.0.1:1/small.bin"]).unwrap_err().to_string();
    assert!(error.contains("SSL_CERT_FILE: /dev/zero is not a file"), "{error}");
}

#[test]
fn a_proxy_tunnels_to_a_secure_server() {
    let behind = Server::secure(Identity::here(), vec![honest]);
    let proxy = Server::proxy(&behind);
    let environment = [("SSL_CERT_FILE", ROOT), ("HTTPS_PROXY", &proxy.origin())];
    if has_environment("secure::a_proxy_tunnels_to_a_secure_server", &environment) {
        let folder = Folder::new();
        folder.fetch(&["https://files.invalid/small.bin"]).unwrap();
        folder.assert_whole();
    } else {
        assert_eq!((proxy.requests().len(), behind.requests().len()), (1, 1));
    }
}
