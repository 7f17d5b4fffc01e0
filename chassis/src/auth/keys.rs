//! Ed25519 keys: a service's own, and its peers' public ones.
use std::{collections::HashMap, fmt, fs, io::Write, path::Path, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD as BASE64, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::{
    digest, rand,
    signature::{Ed25519KeyPair, KeyPair},
};

use super::ed25519;
use crate::Error;

/// The length of an Ed25519 public key.
const PUBLIC_KEY_BYTES: usize = 32;

/// A key that signs tokens. Its id is the thumbprint of its public half (RFC 7638).
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    public: Vec<u8>,
    key: EncodingKey,
}

impl SigningKey {
    /// Makes a key; the second value is its PKCS#8 form, to be kept secret.
    pub fn generate() -> Result<(Self, Vec<u8>), Error> {
        let refused = |_| wrong("new", "the system gave no random bytes");
        let document = Ed25519KeyPair::generate_pkcs8(&rand::SystemRandom::new()).map_err(refused)?;
        Ok((Self::from_pkcs8("new", document.as_ref())?, document.as_ref().to_vec()))
    }

    /// Reads a key in PKCS#8. The name is for the error.
    pub fn from_pkcs8(name: &str, pkcs8: &[u8]) -> Result<Self, Error> {
        let pair =
            Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| wrong(name, "not an Ed25519 key in PKCS#8"))?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { id: thumbprint(&public), public, key: EncodingKey::from_ed_der(pkcs8) })
    }

    /// The id that tokens name the key by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half, 32 raw bytes.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    pub(super) fn encoding(&self) -> &EncodingKey {
        ed25519::install();
        &self.key
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// The id of a public key: the RFC 7638 thumbprint of its JWK.
pub fn thumbprint(public: &[u8]) -> String {
    let x = BASE64_URL_SAFE_NO_PAD.encode(public);
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, jwk.as_bytes()))
}

/// A service's own key for internal tokens, and the public keys of every service that may call it.
#[derive(Clone, Debug)]
pub struct Keyring {
    noun: &'static str,
    own: SigningKey,
    peers: Arc<HashMap<String, Vec<PublicKey>>>,
}

#[derive(Clone)]
struct PublicKey {
    id: String,
    key: DecodingKey,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

impl PublicKey {
    fn new(raw: &[u8]) -> Self {
        Self { id: thumbprint(raw), key: DecodingKey::from_ed_der(raw) }
    }
}

impl Keyring {
    /// Fresh keys for services that share a process and trust each other for as long as it lives.
    pub fn ephemeral_set(nouns: &[&'static str]) -> Result<HashMap<&'static str, Self>, Error> {
        let own: HashMap<_, _> =
            nouns.iter().map(|noun| Ok((*noun, SigningKey::generate()?.0))).collect::<Result<_, Error>>()?;
        let peers =
            own.iter().map(|(noun, key)| ((*noun).to_owned(), vec![PublicKey::new(key.public())])).collect();
        let peers = Arc::new(peers);
        Ok(own.into_iter().map(|(noun, own)| (noun, Self { noun, own, peers: Arc::clone(&peers) })).collect())
    }

    /// Reads `<noun>.key` and every `<peer>.pub` of a folder. A `.pub` file may hold several keys, one a line, while
    /// they are being exchanged.
    pub fn load(folder: &Path, noun: &'static str) -> Result<Self, Error> {
        let own = SigningKey::from_pkcs8(noun, &decode(&folder.join(format!("{noun}.key")))?.concat())?;
        let mut peers = HashMap::new();
        let entries = fs::read_dir(folder).map_err(Error::io(format!("reading {}", folder.display())))?;
        for entry in entries {
            let path = entry.map_err(Error::io(format!("reading {}", folder.display())))?.path();
            let Some(peer) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".pub")) else {
                continue;
            };
            let keys = decode(&path)?;
            if keys.iter().any(|key| key.len() != PUBLIC_KEY_BYTES) {
                return Err(wrong(peer, "a public key is 32 bytes in base64"));
            }
            peers.insert(peer.to_owned(), keys.iter().map(|key| PublicKey::new(key)).collect());
        }
        Ok(Self { noun, own, peers: Arc::new(peers) })
    }

    /// The service whose keyring this is.
    pub fn noun(&self) -> &'static str {
        self.noun
    }

    /// The key that signs this service's internal tokens.
    pub fn own(&self) -> &SigningKey {
        &self.own
    }

    /// The peer's key of that id, if we trust one.
    pub(super) fn peer(&self, noun: &str, id: &str) -> Option<&DecodingKey> {
        ed25519::install();
        self.peers.get(noun)?.iter().find(|key| key.id == id).map(|key| &key.key)
    }
}

/// Writes the keys that are missing in the folder, secret halves readable by the owner only.
pub fn generate(folder: &Path, nouns: &[&str]) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(format!("making {}", folder.display())))?;
    for noun in nouns {
        let secret = folder.join(format!("{noun}.key"));
        if secret.exists() {
            continue;
        }
        let (key, pkcs8) = SigningKey::generate()?;
        let public = folder.join(format!("{noun}.pub"));
        fs::write(&public, BASE64.encode(key.public()))
            .map_err(Error::io(format!("writing {}", public.display())))?;
        write_secret(&secret, &BASE64.encode(pkcs8))
            .map_err(Error::io(format!("writing {}", secret.display())))?;
    }
    Ok(())
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// The base64 lines of a key file.
fn decode(path: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(Error::io(format!("reading {name}")))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| BASE64.decode(line).map_err(|_| wrong(&name, "not base64"))).collect()
}

fn wrong(name: &str, reason: &str) -> Error {
    Error::Key { name: name.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_a_restart_and_are_secret() {
        let folder = tempfile::tempdir().unwrap();
        generate(folder.path(), &["order", "cart"]).unwrap();
        let first = Keyring::load(folder.path(), "order").unwrap();
        generate(folder.path(), &["order", "cart"]).unwrap();
        let second = Keyring::load(folder.path(), "order").unwrap();
        assert_eq!(first.own().id(), second.own().id());
        assert!(second.peer("order", first.own().id()).is_some());
        assert!(second.peer("cart", first.own().id()).is_none());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join("order.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_folder_without_the_own_key_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = Keyring::load(folder.path(), "order").unwrap_err();
        assert!(error.chain().contains("order.key"), "{}", error.chain());
    }

    #[test]
    fn a_key_id_is_the_thumbprint_of_rfc_8037() {
        let x = BASE64_URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(thumbprint(&x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
