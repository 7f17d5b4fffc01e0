//! What people are called and where they are reached: one spelling of each, and nothing that deceives a reader.

/// An e-mail address in its one spelling: lower case, ASCII.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Email(String);

// Addresses are personal: a log line made of one says nothing.
impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(***)")
    }
}

impl Email {
    /// Reads an address. Only ASCII without spaces, quotes or line ends: what has one form has no look-alike, and
    /// cannot carry another header into a message.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>()[]\\,;:\"".contains(&byte));
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let sound = plain
            && text.len() <= 254
            && (1..=64).contains(&local.len())
            && domain.contains('.')
            && domain.split('.').all(label);
        sound.then(|| Self(text.to_ascii_lowercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far an account has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Unverified,
    Active,
    Disabled,
    Erased,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "UNVERIFIED",
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
            Self::Erased => "ERASED",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Unverified, Self::Active, Self::Disabled, Self::Erased]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// What is wrong with a display name, if anything, besides what the contract refuses in every text. An empty one is
/// none, and fine.
pub(crate) fn display_name_fault(name: &str) -> Option<&'static str> {
    let breaks = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    if name.chars().any(breaks) { Some("must not contain control characters") } else { None }
}

/// Reads a language tag as BCP 47 shapes it; `en` where none is given.
pub(crate) fn locale(tag: &str) -> Option<String> {
    if tag.is_empty() {
        return Some("en".to_owned());
    }
    let mut parts = tag.split('-');
    let language = parts.next().is_some_and(|part| {
        (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    let rest = parts
        .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (language && rest && tag.len() <= 35).then(|| tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        assert_eq!(Email::parse("Ann@Example.COM").map(|email| email.0).as_deref(), Some("ann@example.com"));
    }

    #[test]
    fn an_address_that_could_mean_something_else_is_refused() {
        for wrong in [
            "a@b.c\r\nBcc: x@y.z",
            "ᴮᴵᴳ@x.y",
            "a@b",
            "a b@c.d",
            "@b.c",
            "a@b@c.d",
            "a@-b.c",
            "a@b..c",
            "\"a\"@b.c",
            "a@b.c\0",
        ] {
            assert!(Email::parse(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn names_of_many_scripts_are_fine() {
        for name in ["", "Ann", "王小明", "Zoë", "Zoe\u{308}", "O'Neil-Smith", "محمد", "👩\u{200d}🚀 Ann"]
        {
            assert_eq!(display_name_fault(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_name_is_one_line() {
        for name in ["Ann\t", "a\nb", "a\u{2028}b"] {
            assert!(display_name_fault(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn a_language_tag_has_its_shape() {
        assert_eq!(locale("").as_deref(), Some("en"));
        for tag in ["de", "zh-Hans-CN", "en-GB"] {
            assert_eq!(locale(tag).as_deref(), Some(tag));
        }
        for tag in ["e", "esperantido", "en_GB", "en-", "<b>", "12"] {
            assert_eq!(locale(tag), None, "{tag}");
        }
    }
}
