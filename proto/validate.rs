//! What the generated checks stand on: the violations they collect, and the well-known forms.

/// The fields of a message that break the contract, each with the reason.
#[derive(Debug, Default)]
pub struct Violations(Vec<(String, String)>);

/// More than this many are not listed: the caller has enough to go on.
const VIOLATIONS_MAX: usize = 20;

impl Violations {
    /// Notes that a field, below `path`, breaks a rule.
    pub fn add(&mut self, path: &str, field: &str, description: &str) {
        if self.0.len() < VIOLATIONS_MAX {
            let place = self.inside(path, field);
            self.0.push((place, description.into()));
        }
    }

    /// The path of a field below another.
    pub fn inside(&self, path: &str, field: &str) -> String {
        if path.is_empty() { field.into() } else { format!("{path}.{field}") }
    }

    /// Whether no rule is broken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each field with what is wrong about it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, description)| (field.as_str(), description.as_str()))
    }
}

/// A message that may arrive over the wire. Answers are trusted; requests are checked.
pub trait Input {
    /// The rules that the message breaks.
    fn violations(&self) -> Violations {
        Violations::default()
    }
}

/// A message with rules of its own, inside requests.
pub trait Check {
    /// Adds what breaks a rule in this message, found at `path`.
    fn check(&self, path: &str, found: &mut Violations);
}

/// The form of an e-mail address that can be delivered to: a local part, one `@`, a domain with a dot; no control or
/// space characters, which mail headers would interpret, and ASCII only, so that no two spellings look the same.
fn is_email(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let printable = address
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"<>()[]\\,;:\"@".contains(&byte) || byte == b'@');
    let labels = domain.split('.').collect::<Vec<_>>();
    printable
        && address.len() <= 254
        && !local.is_empty()
        && local.len() <= 64
        && !local.contains('@')
        && labels.len() >= 2
        && labels.iter().all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// The hyphenated form of a UUID, in either case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[allow(unused_parens, clippy::all)]
mod checks {
    use super::{Check, Input, Violations, is_email, is_uuid};

    include!(concat!(env!("OUT_DIR"), "/checks.rs"));
}
