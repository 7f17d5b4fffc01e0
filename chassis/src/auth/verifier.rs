//! Turns an `authorization` header into a caller, or refuses it. The only place that reads tokens.
use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header::AUTHORIZATION};
use moka::sync::Cache;

use super::{
    AccessPolicies, Keyring,
    token::{self, ACCESS_TYPE, AccessClaims, INTERNAL_TYPE, InternalClaims, TokenError},
};
use crate::{caller::Caller, policy::MethodPolicy};

/// How many tokens are remembered, and for how long: a caller shows the same one again and again.
const REMEMBERED_MAX: u64 = 10_000;
const REMEMBERED_FOR: Duration = Duration::from_secs(30);

/// Reads tokens for one service.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Keyring,
    access: AccessPolicies,
    /// Checking a signature costs more than the rest of a small call.
    signed: Cache<String, Arc<Signed>>,
}

/// What a token says whose signature is ours. Whether it still counts is asked each time.
#[derive(Debug)]
enum Signed {
    Internal { caller: Caller, exp: u64 },
    Access { key: String, claims: AccessClaims },
}

impl Verifier {
    /// A verifier for the service whose keys these are.
    pub fn new(keys: Keyring, access: AccessPolicies) -> Self {
        let signed = Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED_FOR).build();
        Self { keys, access, signed }
    }

    /// Who calls. Without a token that is nobody; a token that does not count is an error, not nobody.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, TokenError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(Caller::anonymous()) };
        if values.next().is_some() {
            return Err(TokenError::Invalid("two tokens"));
        }
        let value = value.to_str().map_err(|_| TokenError::Invalid("not text"))?;
        let token = match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(TokenError::Invalid("not a bearer token")),
        };
        match &*self.signed(token)? {
            Signed::Internal { caller, exp } => {
                token::not_expired(*exp)?;
                Ok(caller.clone())
            }
            Signed::Access { key, claims } => self.access(key, claims),
        }
    }

    /// Who calls a method. One that gives a session asks for none that still counts.
    pub fn caller_of(&self, method: &MethodPolicy, headers: &HeaderMap) -> Result<Caller, TokenError> {
        match self.caller(headers) {
            Err(TokenError::Expired | TokenError::Revoked) if method.gives_session => Ok(Caller::anonymous()),
            answer => answer,
        }
    }

    /// Who an access token speaks for that came in a field of a request, not with the call.
    pub fn person(&self, token: &str) -> Result<Caller, TokenError> {
        match &*self.signed(token)? {
            Signed::Internal { .. } => Err(TokenError::Invalid("type")),
            Signed::Access { key, claims } => self.access(key, claims),
        }
    }

    /// Whether what is known about people is recent enough for changes only operators may make.
    pub fn fresh(&self) -> bool {
        self.access.fresh()
    }

    /// What a token says, with its signature checked now or a moment ago.
    fn signed(&self, token: &str) -> Result<Arc<Signed>, TokenError> {
        if let Some(signed) = self.signed.get(token) {
            return Ok(signed);
        }
        let signed = Arc::new(self.check(token)?);
        self.signed.insert(token.to_owned(), Arc::clone(&signed));
        Ok(signed)
    }

    fn check(&self, token: &str) -> Result<Signed, TokenError> {
        let head = token::head(token)?;
        match head.typ.as_str() {
            INTERNAL_TYPE => Ok(internal(token::read_internal(token, &self.keys, &head)?)),
            ACCESS_TYPE => {
                let policy = self.access.current().ok_or(TokenError::NotReady)?;
                let key = policy.verification_key(&head.kid).ok_or(TokenError::Invalid("unknown key"))?;
                Ok(Signed::Access { claims: token::read_access(token, key)?, key: head.kid })
            }
            _ => Err(TokenError::Invalid("type")),
        }
    }

    fn access(&self, key: &str, claims: &AccessClaims) -> Result<Caller, TokenError> {
        let policy = self.access.current().ok_or(TokenError::NotReady)?;
        policy.verification_key(key).ok_or(TokenError::Invalid("unknown key"))?;
        token::not_expired(claims.exp)?;
        if policy.has_ended(&claims.sid, claims.iat) || policy.has_ended(&claims.sub, claims.iat) {
            return Err(TokenError::Revoked);
        }
        let lost = |role: &String| policy.has_ended(&format!("{} {role}", claims.sub), claims.iat);
        let roles: Vec<String> = claims.roles.iter().filter(|role| !lost(role)).cloned().collect();
        let permissions = policy.permissions(&roles);
        Ok(Caller::person(claims.sub.clone(), Some(claims.sid.clone()), permissions))
    }
}

fn internal(claims: InternalClaims) -> Signed {
    let caller = match claims.sub {
        Some(subject) => Caller::person(subject, claims.sid, claims.perms),
        None => Caller::anonymous(),
    };
    Signed::Internal { caller: caller.through(&claims.iss), exp: claims.exp }
}
