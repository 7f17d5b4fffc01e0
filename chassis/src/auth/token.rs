//! The two tokens: an access token says who a person is, an internal token which service calls, and for whom.
use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tonic::{Code, Status};

use super::{Keyring, SigningKey};
use crate::{
    Error,
    caller::Caller,
    status::{self, DOMAIN},
};

/// `typ` of an access token (RFC 9068).
pub const ACCESS_TYPE: &str = "at+jwt";
/// `typ` of an internal token.
pub const INTERNAL_TYPE: &str = "int+jwt";
/// The issuer and the audience of access tokens.
pub const ISSUER: &str = "cartwright";
/// How long an access token lives.
pub const ACCESS_LIFETIME: Duration = Duration::from_secs(600);
/// How long an internal token lives.
pub const INTERNAL_LIFETIME: Duration = Duration::from_secs(60);
/// How far clocks may differ.
pub const LEEWAY: Duration = Duration::from_secs(30);
/// The largest token looked at. Our own are a tenth of it.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// Why a token does not count. A caller learns only whether to sign in again; the rest is for our logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// Its session or its subject was signed out.
    #[error("the session has ended")]
    Revoked,
    /// It is not one of ours, or was changed.
    #[error("the token is not valid")]
    Invalid(&'static str),
    /// Identity has not told us its keys yet.
    #[error("tokens cannot be checked at the moment")]
    NotReady,
}

impl From<TokenError> for Status {
    fn from(error: TokenError) -> Self {
        let (code, reason) = match error {
            TokenError::Expired => (Code::Unauthenticated, "TOKEN_EXPIRED"),
            TokenError::Revoked => (Code::Unauthenticated, "SESSION_ENDED"),
            TokenError::Invalid(_) => (Code::Unauthenticated, "TOKEN_INVALID"),
            TokenError::NotReady => {
                return status::unavailable("TOKENS_NOT_READY", &error.to_string(), Duration::from_secs(1));
            }
        };
        status::refusal(code, reason, DOMAIN, &error)
    }
}

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessClaims {
    /// `users/{user}` or `guests/{guest}`.
    pub sub: String,
    /// The session, `sessions/{session}`.
    pub sid: String,
    /// The roles held; what they permit is looked up when the token is read.
    pub roles: Vec<String>,
    iss: String,
    aud: String,
    jti: String,
    pub(super) iat: u64,
    nbf: u64,
    pub(super) exp: u64,
}

/// What an internal token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InternalClaims {
    pub(super) iss: String,
    aud: String,
    iat: u64,
    pub(super) exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sub: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) perms: BTreeSet<String>,
}

/// Signs an access token. Only identity has a key that others accept.
pub fn access(key: &SigningKey, subject: &str, session: &str, roles: &[String]) -> Result<String, Error> {
    let now = now();
    let claims = AccessClaims {
        sub: subject.to_owned(),
        sid: session.to_owned(),
        roles: roles.to_vec(),
        iss: ISSUER.to_owned(),
        aud: ISSUER.to_owned(),
        jti: uuid::Uuid::now_v7().to_string(),
        iat: now,
        nbf: now,
        exp: now + ACCESS_LIFETIME.as_secs(),
    };
    sign(ACCESS_TYPE, key, &claims)
}

/// Signs the token with which this service calls another, for itself or for the person it serves.
pub fn internal(keys: &Keyring, audience: &str, caller: Option<&Caller>) -> Result<String, Error> {
    let now = now();
    let claims = InternalClaims {
        iss: keys.noun().to_owned(),
        aud: audience.to_owned(),
        iat: now,
        exp: now + INTERNAL_LIFETIME.as_secs(),
        sub: caller.and_then(Caller::subject_if_any).map(str::to_owned),
        sid: caller.and_then(Caller::session).map(str::to_owned),
        perms: caller.map(|caller| caller.permissions().clone()).unwrap_or_default(),
    };
    sign(INTERNAL_TYPE, keys.own(), &claims)
}

fn sign(kind: &str, key: &SigningKey, claims: &impl Serialize) -> Result<String, Error> {
    let header = Header {
        typ: Some(kind.to_owned()),
        kid: Some(key.id().to_owned()),
        ..Header::new(Algorithm::EdDSA)
    };
    jsonwebtoken::encode(&header, claims, key.encoding()).map_err(|error| Error::Other(error.into()))
}

/// The header of a token, and nothing else: a header that brings its own key, or says it is critical, is not ours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    alg: String,
    pub(super) typ: String,
    pub(super) kid: String,
}

/// Reads the header without believing it.
pub(super) fn head(token: &str) -> Result<Head, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Invalid("too long"));
    }
    let mut parts = token.split('.');
    let (Some(head), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenError::Invalid("not three parts"));
    };
    let json =
        BASE64_URL_SAFE_NO_PAD.decode(head).map_err(|_| TokenError::Invalid("header is not base64"))?;
    let head: Head = serde_json::from_slice(&json).map_err(|_| TokenError::Invalid("header is not ours"))?;
    if head.alg != "EdDSA" {
        return Err(TokenError::Invalid("algorithm"));
    }
    Ok(head)
}

/// Checks an access token's signature and claims.
pub(super) fn read_access(token: &str, key: &DecodingKey) -> Result<AccessClaims, TokenError> {
    let mut validation =
        validation(ISSUER, ISSUER, &["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"]);
    validation.validate_nbf = true;
    let claims: AccessClaims = read(token, key, &validation)?;
    not_from_the_future(claims.iat)?;
    Ok(claims)
}

/// Checks an internal token's signature and claims, given who says they signed it and who we are.
pub(super) fn read_internal(token: &str, keys: &Keyring, head: &Head) -> Result<InternalClaims, TokenError> {
    let issuer = unverified_issuer(token)?;
    let key = keys.peer(&issuer, &head.kid).ok_or(TokenError::Invalid("unknown key"))?;
    let claims: InternalClaims =
        read(token, key, &validation(&issuer, keys.noun(), &["iss", "aud", "iat", "exp"]))?;
    not_from_the_future(claims.iat)?;
    Ok(claims)
}

/// Whose key to check the signature with. The signature then proves or refutes it.
fn unverified_issuer(token: &str) -> Result<String, TokenError> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let claims = token.split('.').nth(1).unwrap_or_default();
    let json =
        BASE64_URL_SAFE_NO_PAD.decode(claims).map_err(|_| TokenError::Invalid("claims are not base64"))?;
    let issuer: Issuer = serde_json::from_slice(&json).map_err(|_| TokenError::Invalid("no issuer"))?;
    Ok(issuer.iss)
}

fn validation(issuer: &str, audience: &str, required: &[&str]) -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.leeway = LEEWAY.as_secs();
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(required);
    validation
}

fn read<C: DeserializeOwned>(
    token: &str,
    key: &DecodingKey,
    validation: &Validation,
) -> Result<C, TokenError> {
    use jsonwebtoken::errors::ErrorKind;
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else is wrong, the token does not count")]
    let data = jsonwebtoken::decode(token, key, validation).map_err(|error| match error.kind() {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::InvalidSignature => TokenError::Invalid("signature"),
        ErrorKind::ImmatureSignature => TokenError::Invalid("not yet valid"),
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => TokenError::Invalid("for somebody else"),
        _ => TokenError::Invalid("claims"),
    })?;
    Ok(data.claims)
}

fn not_from_the_future(iat: u64) -> Result<(), TokenError> {
    if iat > now().saturating_add(LEEWAY.as_secs()) {
        Err(TokenError::Invalid("issued in the future"))
    } else {
        Ok(())
    }
}

/// The same as is asked when a token is read, for one that was read a while ago.
pub(super) fn not_expired(exp: u64) -> Result<(), TokenError> {
    if exp < now().saturating_sub(LEEWAY.as_secs()) { Err(TokenError::Expired) } else { Ok(()) }
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
