//! The only algorithm our tokens know, by ring: the token library asks this module for all cryptography.
use std::sync::Once;

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use signature::{Error, Signer, Verifier};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Signing::new(algorithm, key)?)),
    verifier_factory: |algorithm, key| Ok(Box::new(Verifying::new(algorithm, key)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes ours the process's provider. Called before the first token is signed or read.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if PROVIDER.install_default().is_err() {
            tracing::warn!("another provider of token cryptography is installed already");
        }
    });
}

struct Signing(Ed25519KeyPair);

impl Signing {
    fn new(algorithm: &Algorithm, key: &EncodingKey) -> Result<Self> {
        only_eddsa(algorithm)?;
        Ed25519KeyPair::from_pkcs8(key.as_bytes()).map(Self).map_err(|_| ErrorKind::InvalidEddsaKey.into())
    }
}

impl Signer<Vec<u8>> for Signing {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Signing {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct Verifying(Vec<u8>);

impl Verifying {
    fn new(algorithm: &Algorithm, key: &DecodingKey) -> Result<Self> {
        only_eddsa(algorithm)?;
        Ok(Self(key.try_get_as_bytes()?.to_vec()))
    }
}

impl Verifier<Vec<u8>> for Verifying {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for Verifying {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

fn only_eddsa(algorithm: &Algorithm) -> Result<()> {
    if *algorithm == Algorithm::EdDSA { Ok(()) } else { Err(ErrorKind::InvalidAlgorithm.into()) }
}
