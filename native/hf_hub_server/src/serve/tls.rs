//! HTTPS: the certificate of both listeners, either configured or generated for this Hub.
//!
//! A generated certificate is kept in the root, `tls/certificate.pem`, so that clients have to
//! trust it only once. This module does not accept connections.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::store::{Lock, Store};

const LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);
/// A certificate that expires sooner is replaced when the server starts.
const LEAST_LEFT: Duration = Duration::from_hours(30 * 24);

/// The command line options for HTTPS.
#[expect(clippy::struct_field_names, reason = "the names of the flags")]
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// PEM file of the certificate and its chain, to serve HTTPS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve HTTPS with a generated certificate that is kept in the root
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    tls_self_signed: bool,
    /// Host name or address of the Hub in the generated certificate; may be repeated
    #[arg(long = "tls-name", value_name = "NAME", requires = "tls_self_signed")]
    tls_names: Vec<String>,
}

/// The certificate of a server.
pub(super) struct Tls {
    /// Accepts TLS connections.
    pub(super) acceptor: TlsAcceptor,
    /// SHA-256 of the certificate, as OpenSSL prints it.
    pub(super) fingerprint: String,
    /// The file that clients have to trust; `None` for a configured certificate.
    pub(super) made: Option<PathBuf>,
}

impl Args {
    /// Loads the certificate if HTTPS is enabled; `names` are the host names that clients use.
    pub(super) fn load(&self, store: &Store, names: &[String]) -> Result<Option<Tls>> {
        if self.tls_self_signed {
            let names = self.tls_names.iter().chain(names).cloned().collect();
            let made = Made::ensure(&store.tls_dir(), &names)?;
            return Tls::new(&made.certificate, &made.key, true).map(Some);
        }
        let files = self.tls_cert.as_ref().zip(self.tls_key.as_ref());
        files.map(|(certificate, key)| Tls::new(certificate, key, false)).transpose()
    }
}

impl Tls {
    fn new(certificate: &Path, key: &Path, is_made: bool) -> Result<Self> {
        let chain = read_chain(certificate)?;
        let digest = Sha256::digest(&chain[0]);
        let digits = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, read_key(key)?)
            .map_err(|err| unusable(certificate, key, err))?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            fingerprint: digits.join(":"),
            made: is_made.then(|| certificate.to_owned()),
        })
    }
}

/// Reads the server's certificate and its chain; at least one.
fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.with_context(|| format!("invalid certificate in {}", path.display()))?;
    if chain.is_empty() {
        bail!("{} contains no PEM certificate", path.display());
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let text = read(path)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if is_encrypted(&text) => {
            let path = path.display();
            bail!(
                "the private key in {path} is encrypted; decrypt it with: openssl pkey -in {path}"
            )
        }
        Err(pem::Error::NoItemsFound) => {
            bail!("{} contains no PEM private key", path.display())
        }
        Err(err) => Err(err).with_context(|| format!("invalid private key in {}", path.display())),
    }
}

fn is_encrypted(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn unusable(certificate: &Path, key: &Path, err: rustls::Error) -> anyhow::Error {
    let (certificate, key) = (certificate.display(), key.display());
    match err {
        rustls::Error::InconsistentKeys(_) => {
            anyhow!("{key} is not the private key of the certificate in {certificate}")
        }
        err => anyhow!(err).context(format!("cannot serve {certificate} with the key in {key}")),
    }
}

/// A generated certificate and its key.
struct Made {
    certificate: PathBuf,
    key: PathBuf,
}

/// Stored facts about a generated certificate.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Facts {
    names: BTreeSet<String>,
    until: Timestamp,
}

impl Made {
    /// Returns a certificate for at least these names. A valid one is kept, because clients trust
    /// it.
    fn ensure(folder: &Path, names: &BTreeSet<String>) -> Result<Self> {
        let made =
            Self { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        let facts_file = folder.join("certificate.json");
        let _lock = Lock::acquire(&folder.join("certificate.lock"))?;
        let known = fs::read(&facts_file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let known: Facts = known.unwrap_or_default();
        let is_there = made.certificate.is_file() && made.key.is_file();
        let lasts = Timestamp::now().checked_add(LEAST_LEFT)? < known.until;
        if is_there && lasts && known.names.is_superset(names) {
            return Ok(made);
        }
        let until = Timestamp::now().checked_add(LIFETIME)?;
        let facts = Facts { names: known.names.union(names).cloned().collect(), until };
        // A certificate without stored facts is generated again: only its key may have been
        // replaced.
        let _ = fs::remove_file(&facts_file);
        made.write(&facts)?;
        Store::write_file(&facts_file, &serde_json::to_vec(&facts)?)?;
        Ok(made)
    }

    fn write(&self, facts: &Facts) -> Result<()> {
        let names = facts.names.iter().cloned().collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).context("cannot generate a certificate")?;
        let mut id = [0; 4];
        getrandom::fill(&mut id)?;
        params.distinguished_name = DistinguishedName::new();
        // Two Hubs in one file of trusted certificates must be distinguishable.
        let name = format!("Local Hub {}", hex::encode(id));
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        let until = Duration::from_secs(facts.until.as_second().unsigned_abs());
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + until;
        // No key usage: OpenSSL does not accept a self-signed certificate whose key may not sign
        // certificates.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Store::write_file(&self.key, key.serialize_pem().as_bytes())?;
        Store::write_file(&self.certificate, certificate.pem().as_bytes())?;
        make_readable(&self.certificate)
    }
}

/// Makes the certificate readable for clients of other users; the key stays private.
#[cfg(unix)]
fn make_readable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o644))?)
}

#[cfg(not(unix))]
fn make_readable(_path: &Path) -> Result<()> {
    Ok(())
}

/// Returns the names by which clients reach a server that listens at `host` and has these URLs.
pub(super) fn names<'a>(host: &str, urls: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    match host.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => names.extend(addresses()),
        _ => names.push(host.to_owned()),
    }
    let hosts = urls.into_iter().filter_map(|url| url.parse::<axum::http::Uri>().ok());
    let hosts =
        hosts.filter_map(|url| url.host().map(|host| host.trim_matches(['[', ']']).to_owned()));
    names.extend(hosts);
    names.extend(machine());
    names
}

/// Returns the addresses of this machine in its networks.
fn addresses() -> impl Iterator<Item = String> {
    // Addresses reserved for documentation: only the route to them is determined, nothing is sent.
    let ways = [("0.0.0.0", "192.0.2.1:9"), ("::", "[2001:db8::1]:9")];
    ways.into_iter().filter_map(|(from, to)| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip().to_string())
    })
}

/// Returns the host name of this machine.
#[cfg(unix)]
fn machine() -> Vec<String> {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().unwrap_or_default();
    let is_name =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    if is_name { vec![name.to_owned(), format!("{name}.local")] } else { Vec::new() }
}

#[cfg(not(unix))]
fn machine() -> Vec<String> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ensure(folder: &Path, names: &[&str]) -> Tls {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let made = Made::ensure(folder, &names).unwrap();
        Tls::new(&made.certificate, &made.key, true).unwrap()
    }

    #[test]
    fn a_generated_certificate_is_kept_until_it_lacks_a_name_or_expires() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tls");
        let first = ensure(&folder, &["localhost", "::1"]).fingerprint;
        assert_eq!((first.len(), first.matches(':').count()), (95, 31));
        assert_eq!(ensure(&folder, &["localhost"]).fingerprint, first);
        let second = ensure(&folder, &["box.lan"]).fingerprint;
        assert_ne!(second, first);
        assert_eq!(ensure(&folder, &["::1", "box.lan"]).fingerprint, second);

        let facts = folder.join("certificate.json");
        let text = fs::read_to_string(&facts).unwrap();
        let mut known: Facts = serde_json::from_str(&text).unwrap();
        known.until = Timestamp::now();
        fs::write(&facts, serde_json::to_vec(&known).unwrap()).unwrap();
        assert_ne!(ensure(&folder, &["box.lan"]).fingerprint, second);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_key() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        ensure(dir.path(), &["localhost"]);
        let mode =
            |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("key.pem"), mode("certificate.pem")), (0o600, 0o644));
    }

    #[test]
    fn a_certificate_is_replaced_when_only_its_key_was() {
        let dir = tempfile::tempdir().unwrap();
        let first = ensure(dir.path(), &["localhost"]).fingerprint;
        // As after a crash.
        fs::write(dir.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem())
            .unwrap();
        fs::remove_file(dir.path().join("certificate.json")).unwrap();
        assert_ne!(ensure(dir.path(), &["localhost"]).fingerprint, first);
    }

    #[test]
    fn mismatched_or_invalid_files_are_rejected_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| dir.path().join(name));
        ensure(&one, &["localhost"]);
        ensure(&other, &["localhost"]);
        let write = |name: &str, text: &str| {
            fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name)
        };
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let (certificate, key) = (one.join("certificate.pem"), one.join("key.pem"));
        let cut =
            fs::read_to_string(&certificate).unwrap().replace("-----END CERTIFICATE-----", "");
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (certificate, key, reason) in [
            (&certificate, &other.join("key.pem"), "is not the private key of the certificate in"),
            (&key, &key, "contains no PEM certificate"),
            (&certificate, &certificate, "contains no PEM private key"),
            (&one.join("none"), &key, "cannot read"),
            (&certificate, &one.join("none"), "cannot read"),
            (&one, &key, "cannot read"),
            (
                &certificate,
                &write("locked.pem", encrypted),
                "is encrypted; decrypt it with: openssl pkey -in",
            ),
            (&write("cut.pem", &cut), &key, "invalid certificate in"),
            (&write("junk.pem", junk), &key, "cannot serve"),
        ] {
            let err = Tls::new(certificate, key, false).err().unwrap();
            assert!(format!("{err:#}").contains(reason), "{err:#}");
        }
    }

    #[test]
    fn a_server_is_named_by_its_addresses_and_urls() {
        let names = names("0.0.0.0", ["https://hub.lan:8443", "https://[fd00::1]:1"]);
        for name in ["localhost", "127.0.0.1", "hub.lan", "fd00::1"] {
            assert!(names.iter().any(|known| known == name), "{names:?}");
        }
        assert!(!names.iter().any(|known| known == "0.0.0.0"));
        assert!(super::names("box.lan", []).contains(&"box.lan".to_owned()));
    }
}
