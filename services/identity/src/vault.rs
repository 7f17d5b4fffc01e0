//! Seals what must not lie open in the database, and makes digests that only this service can make.
use std::sync::Arc;

use chassis::{Error, config::Secret, db::Db};
use ring::{
    aead::{self, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
    rand::{SecureRandom, SystemRandom},
};

use crate::store;

/// Shorter secrets could be guessed.
const SECRET_CHARS_MIN: usize = 32;
const ID_BYTES: usize = 8;

/// The secrets of this service. The first seals; all of them open. Clones share them.
#[derive(Clone)]
pub(crate) struct Vault(Arc<Vec<Master>>);

struct Master {
    id: [u8; ID_BYTES],
    seal: LessSafeKey,
    mac: hmac::Key,
    pepper: [u8; 32],
}

impl Vault {
    /// The secrets that settings name, and last the one in the database, which is made when missing.
    pub(crate) async fn open(db: &Db, configured: Option<&Secret>) -> Result<Self, Error> {
        let mut masters = Vec::new();
        for secret in configured
            .map(Secret::expose)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|secret| !secret.is_empty())
        {
            if secret.chars().count() < SECRET_CHARS_MIN {
                return Err(Error::Settings(format!(
                    "a secret in IDENTITY_SECRETS has fewer than {SECRET_CHARS_MIN} characters"
                )));
            }
            masters.push(Master::new(secret.as_bytes())?);
        }
        let fresh: [u8; 32] = random()?;
        let kept = db.write(async |tx| store::vault_secret(tx, &fresh).await).await?;
        masters.push(Master::new(&kept)?);
        Ok(Self(Arc::new(masters)))
    }

    fn first(&self) -> &Master {
        // There is always the one of the database.
        &self.0[0]
    }

    /// Seals bytes for one purpose.
    pub(crate) fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let master = self.first();
        let nonce: [u8; aead::NONCE_LEN] = random()?;
        let mut sealed = plain.to_vec();
        master
            .seal
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| Error::other("sealing failed"))?;
        Ok([master.id.as_slice(), nonce.as_slice(), sealed.as_slice()].concat())
    }

    /// Opens what was sealed for that purpose. Nothing where it was not, or its secret is gone.
    pub(crate) fn unseal(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = sealed.split_at_checked(ID_BYTES)?;
        let (nonce, rest) = rest.split_at_checked(aead::NONCE_LEN)?;
        let master = self.0.iter().find(|master| master.id == id)?;
        let mut plain = rest.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = master.seal.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    /// The digest of the parts for one purpose: without the secret nobody can try what gives it.
    pub(crate) fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
        hmac::sign(&self.first().mac, &framed(purpose, parts)).as_ref().to_vec()
    }

    /// Whether the digest is of these parts, in constant time.
    pub(crate) fn is_mac(&self, purpose: &str, parts: &[&[u8]], mac: &[u8]) -> bool {
        let message = framed(purpose, parts);
        self.0.iter().any(|master| hmac::verify(&master.mac, &message, mac).is_ok())
    }

    /// What new passwords are peppered with: its id and the pepper.
    pub(crate) fn pepper(&self) -> (String, [u8; 32]) {
        (hex(&self.first().id), self.first().pepper)
    }

    /// The pepper of that id, if its secret is still there.
    pub(crate) fn pepper_of(&self, id: &str) -> Option<[u8; 32]> {
        self.0.iter().find(|master| hex(&master.id) == id).map(|master| master.pepper)
    }
}

impl Master {
    fn new(secret: &[u8]) -> Result<Self, Error> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |label: &str| -> [u8; 32] {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(hmac::sign(&root, label.as_bytes()).as_ref());
            bytes
        };
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&derived("id")[..ID_BYTES]);
        let seal = UnboundKey::new(&AES_256_GCM, &derived("seal"))
            .map_err(|_| Error::other("the secret makes no key"))?;
        Ok(Self {
            id,
            seal: LessSafeKey::new(seal),
            mac: hmac::Key::new(hmac::HMAC_SHA256, &derived("mac")),
            pepper: derived("pepper"),
        })
    }
}

/// Each part with its length before it, so that no two lists of parts read the same.
fn framed(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut message = Vec::new();
    for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
        message.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::other("the system gave no random bytes"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(secrets: &[&str]) -> Vault {
        Vault(Arc::new(secrets.iter().map(|secret| Master::new(secret.as_bytes()).expect("a key")).collect()))
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let vault = vault(&["one"]);
        let sealed = vault.seal("code", b"123456").unwrap();
        assert_eq!(vault.unseal("code", &sealed).as_deref(), Some(b"123456".as_slice()));
        assert_eq!(vault.unseal("key", &sealed), None);
        assert_eq!(vault.unseal("code", &sealed[..20]), None);
    }

    #[test]
    fn an_older_secret_still_opens_and_a_lost_one_does_not() {
        let sealed = vault(&["old"]).seal("code", b"1").unwrap();
        let mac = vault(&["old"]).mac("code", &[b"1"]);
        assert!(vault(&["new", "old"]).unseal("code", &sealed).is_some());
        assert!(vault(&["new", "old"]).is_mac("code", &[b"1"], &mac));
        assert!(vault(&["new"]).unseal("code", &sealed).is_none());
        assert!(!vault(&["new"]).is_mac("code", &[b"1"], &mac));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let vault = vault(&["one"]);
        assert_ne!(vault.mac("code", &[b"ab", b"c"]), vault.mac("code", &[b"a", b"bc"]));
    }
}
