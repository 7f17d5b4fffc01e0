//! Turns an `authorization` header into a caller, or refuses it. The only place that reads tokens.
use http::{HeaderMap, header::AUTHORIZATION};

use super::{
    AccessPolicies, Keyring,
    token::{self, ACCESS_TYPE, INTERNAL_TYPE, TokenError},
};
use crate::caller::Caller;

/// Reads tokens for one service.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Keyring,
    access: AccessPolicies,
}

impl Verifier {
    /// A verifier for the service whose keys these are.
    pub fn new(keys: Keyring, access: AccessPolicies) -> Self {
        Self { keys, access }
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
        let head = token::head(token)?;
        match head.typ.as_str() {
            INTERNAL_TYPE => self.internal(token, &head),
            ACCESS_TYPE => self.access(token, &head),
            _ => Err(TokenError::Invalid("type")),
        }
    }

    /// Who an access token speaks for that came in a field of a request, not with the call.
    pub fn person(&self, token: &str) -> Result<Caller, TokenError> {
        let head = token::head(token)?;
        if head.typ != ACCESS_TYPE {
            return Err(TokenError::Invalid("type"));
        }
        self.access(token, &head)
    }

    /// Whether what is known about people is recent enough for changes only operators may make.
    pub fn fresh(&self) -> bool {
        self.access.fresh()
    }

    fn internal(&self, token: &str, head: &token::Head) -> Result<Caller, TokenError> {
        let claims = token::read_internal(token, &self.keys, head)?;
        let caller = match claims.sub {
            Some(subject) => Caller::person(subject, claims.sid, claims.perms),
            None => Caller::anonymous(),
        };
        Ok(caller.through(&claims.iss))
    }

    fn access(&self, token: &str, head: &token::Head) -> Result<Caller, TokenError> {
        let policy = self.access.current().ok_or(TokenError::NotReady)?;
        let key = policy.verification_key(&head.kid).ok_or(TokenError::Invalid("unknown key"))?;
        let claims = token::read_access(token, key)?;
        if policy.has_ended(&claims.sid, claims.iat) || policy.has_ended(&claims.sub, claims.iat) {
            return Err(TokenError::Revoked);
        }
        let lost = |role: &String| policy.has_ended(&format!("{} {role}", claims.sub), claims.iat);
        let roles: Vec<String> = claims.roles.iter().filter(|role| !lost(role)).cloned().collect();
        let permissions = policy.permissions(&roles);
        Ok(Caller::person(claims.sub, Some(claims.sid), permissions))
    }
}
