//! Roles: named sets of permissions.
use std::collections::BTreeSet;

/// The role that everybody who registers holds.
pub(crate) const CUSTOMER: &str = "customer";
/// The role that runs the shop. Somebody always holds it.
pub(crate) const ADMIN: &str = "admin";
/// What names of roles begin with.
const PREFIX: &str = "roles/";

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) permissions: BTreeSet<String>,
    pub(crate) system: bool,
}

/// The name of a role, such as `roles/support`.
pub(crate) fn name(id: &str) -> String {
    format!("{PREFIX}{id}")
}

/// The id in a role's name.
pub(crate) fn parse_name(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX).filter(|id| is_id(id))
}

/// Whether a role may be called this: lower case letters, digits and hyphens.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=40).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !id.starts_with('-')
        && !id.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_called_by_a_plain_name() {
        assert_eq!(parse_name("roles/night-shift-2"), Some("night-shift-2"));
        for wrong in ["roles/", "roles/Admin", "roles/a b", "admin", "roles/-a", "roles/a/b"] {
            assert_eq!(parse_name(wrong), None, "{wrong}");
        }
    }
}
