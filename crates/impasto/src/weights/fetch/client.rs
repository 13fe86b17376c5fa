//! One request: http or https, through a proxy or not, followed where it leads.
//!
//! TLS serves to reach servers, not to trust them: what is fetched is known by its SHA-256. Certificates are checked all the
//! same, against the roots that browsers trust, or those of the file that `SSL_CERT_FILE` names. The cryptography is
//! graviola's: Rust and proven assembly, no C to be compiled. It needs x86-64 of 2014 or later, or 64-bit Arm with AES; other
//! machines speak plain http.
//!
//! A proxy is taken from the environment (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`, but not for the hosts of `NO_PROXY`), and is
//! asked for a tunnel; this machine's own servers need none.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{Response, Uri, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Error};

use super::FetchError;
use crate::disk::read_file;

/// A server that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Redirections that are followed.
const REDIRECTIONS: u32 = 5;
/// Names the file with the certificates to trust, as OpenSSL has it.
const ROOTS_VARIABLE: &str = "SSL_CERT_FILE";
/// The longest such file that is read, in MiB; those of systems have a quarter of one.
const ROOTS_LIMIT_MIB: u64 = 16;

/// What came of a request.
pub enum Asked {
    /// An answer that is no redirection.
    Answered(Box<Response<Body>>),
    /// None; another try may bring one.
    Broken(String),
}

/// Asks `url` for its bytes from `from` on, and follows where it leads.
///
/// # Errors
/// [`FetchError::Scheme`], [`FetchError::Redirection`], [`FetchError::Insecure`]: what another try would not change.
pub fn ask(url: &str, from: u64) -> Result<Asked, FetchError> {
    let mut address = Address::parse(url).ok_or_else(|| FetchError::Scheme { url: url.to_owned() })?;
    let mut redirections = 0;
    loop {
        let mut asked = agent(&address).map_err(|reason| insecure(url, reason))?.get(&address.text);
        if from > 0 {
            asked = asked.header(header::RANGE, format!("bytes={from}-"));
        }
        let response = match asked.call() {
            Ok(response) => response,
            Err(error) => match security_fault(&error) {
                Some(reason) => return Err(insecure(url, reason)),
                None => return Ok(Asked::Broken(error.to_string())),
            },
        };
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(Asked::Answered(Box::new(response)));
        }
        // Followed here, so that no redirection leads to another kind of address.
        address = address.redirected(url, &response)?;
        redirections += 1;
        if redirections > REDIRECTIONS {
            return Ok(Asked::Broken("it sends from address to address without end".to_owned()));
        }
    }
}

fn insecure(url: &str, reason: String) -> FetchError {
    FetchError::Insecure { url: url.to_owned(), reason }
}

/// What is wrong with the server's certificate or its way to encrypt, if that is what is wrong. A handshake's errors come
/// wrapped in those of the connection.
fn security_fault(error: &Error) -> Option<String> {
    match error {
        Error::Rustls(fault) => Some(fault.to_string()),
        Error::Tls(reason) => Some((*reason).to_owned()),
        Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            error.get_ref().map(|fault| fault.to_string())
        }
        _ => None,
    }
}

/// An http or https address.
struct Address {
    text: String,
    is_https: bool,
    /// `www.vlfeat.org:80`, as it stands in the address.
    server: String,
    host: String,
}

impl Address {
    /// `None` for text that is no http or https address.
    fn parse(text: &str) -> Option<Address> {
        let uri: Uri = text.parse().ok()?;
        let is_https = match uri.scheme_str()?.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let (server, host) = (uri.authority()?.to_string(), uri.host()?.to_owned());
        Some(Address { text: text.to_owned(), is_https, server, host })
    }

    /// Whether it is on this machine.
    fn is_here(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }

    /// Where a redirection leads: any http or https address, or a place of the same server; never from https to http.
    fn redirected(&self, url: &str, response: &Response<Body>) -> Result<Address, FetchError> {
        let location =
            response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let scheme = if self.is_https { "https:" } else { "http:" };
        let absolute = match location {
            other if other.starts_with("//") => format!("{scheme}{other}"),
            path if path.starts_with('/') => format!("{scheme}//{}{path}", self.server),
            // A path from where this one stands: its first part has no colon.
            path if !path.is_empty() && !path.split('/').next().unwrap_or_default().contains(':') => {
                let here = self.text.split(['?', '#']).next().unwrap_or_default();
                let folder = here.rfind('/').map_or("", |end| &here[..end]);
                format!("{folder}/{path}")
            }
            other => other.to_owned(),
        };
        let refused = |why| FetchError::Redirection {
            url: url.to_owned(),
            // A server's text: no longer than a line.
            to: location.chars().filter(|character| !character.is_control()).take(120).collect(),
            why,
        };
        let next = Address::parse(&absolute).ok_or_else(|| refused("it is no http or https address"))?;
        if self.is_https && !next.is_https {
            return Err(refused("it would leave https"));
        }
        Ok(next)
    }
}

/// The client for one address.
fn agent(address: &Address) -> Result<Agent, String> {
    let proxy = if address.is_here() { None } else { ureq::Proxy::try_from_env() };
    let speaks_tls = address.is_https || proxy.as_ref().is_some_and(|proxy| proxy.uri().scheme_str() == Some("https"));
    let mut config = Agent::config_builder()
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE));
    if speaks_tls {
        let provider = Arc::new(cryptography().ok_or("this processor is too old for impasto's TLS")?);
        let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider).root_certs(roots()?);
        config = config.tls_config(tls.build());
    }
    Ok(config.build().new_agent())
}

/// The certificates that a server's has to come from.
fn roots() -> Result<RootCerts, String> {
    let Some(path) = std::env::var_os(ROOTS_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(RootCerts::WebPki);
    };
    let text = read_file(&path, ROOTS_LIMIT_MIB).map_err(|error| format!("{ROOTS_VARIABLE}: {error}"))?;
    let certificates: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{ROOTS_VARIABLE} names {}, in which there is no certificate", path.display()));
    }
    Ok(RootCerts::from(certificates.into_iter()))
}

/// The cryptography, where this processor has the instructions that it is written in.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn cryptography() -> Option<rustls::crypto::CryptoProvider> {
    #[cfg(target_arch = "x86_64")]
    let is_supported = {
        use std::arch::is_x86_feature_detected as has;
        has!("aes") && has!("pclmulqdq") && has!("avx2") && has!("bmi1") && has!("bmi2") && has!("adx") && has!("ssse3")
    };
    #[cfg(target_arch = "aarch64")]
    let is_supported = {
        use std::arch::is_aarch64_feature_detected as has;
        has!("neon") && has!("aes") && has!("pmull") && has!("sha2")
    };
    is_supported.then(rustls_graviola::default_provider)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cryptography() -> Option<rustls::crypto::CryptoProvider> {
    None
}
