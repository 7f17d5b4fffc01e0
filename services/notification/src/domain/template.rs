//! Templates: text with places like `{{name}}`. A value is put in as it is; nothing in it is looked at again.
use std::collections::BTreeMap;

use super::{Channel, kind::Kind};

const SUBJECT_CHARS_MAX: usize = 200;

/// What the places are filled with.
pub(crate) type Filling = BTreeMap<String, String>;

/// The text of one kind of message in one language for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) kind: String,
    pub(crate) locale: String,
    pub(crate) channel: Channel,
    pub(crate) subject: String,
    pub(crate) body: String,
}

impl Template {
    /// `templates/{kind}.{locale}.{channel}`.
    pub(crate) fn name(&self) -> String {
        format!("templates/{}.{}.{}", self.kind, self.locale, self.channel.as_str().to_ascii_lowercase())
    }

    /// The subject and the body with their places filled. A subject is one line, whatever is put into it.
    pub(crate) fn fill(&self, filling: &Filling) -> (String, String) {
        let subject: String =
            fill(&self.subject, filling)
                .chars()
                .map(|letter| {
                    if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') {
                        ' '
                    } else {
                        letter
                    }
                })
                .take(SUBJECT_CHARS_MAX)
                .collect();
        (subject.trim().to_owned(), fill(&self.body, filling))
    }
}

/// The kind, locale and channel in a template's name.
pub(crate) fn parse_name(name: &str) -> Option<(&str, &str, Channel)> {
    let mut parts = name.strip_prefix("templates/")?.split('.');
    let (kind, locale, channel) = (parts.next()?, parts.next()?, parts.next()?);
    let lower = channel.bytes().all(|byte| byte.is_ascii_lowercase());
    (parts.next().is_none() && lower).then_some((kind, locale, Channel::parse(channel)?))
}

/// Puts the values in their places, in one pass: a value that looks like a place stays what it is. A place without a
/// value stays empty.
fn fill(text: &str, filling: &Filling) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((place, after)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        out.push_str(filling.get(place.trim()).map(String::as_str).unwrap_or_default());
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What is wrong with a text for this kind, if anything.
pub(crate) fn fault(text: &str, kind: &Kind) -> Option<String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((place, after)) = after.split_once("}}") else {
            return Some("has a place without an end".to_owned());
        };
        if !kind.places.contains(&place.trim()) {
            return Some(format!("may use these places: {}", kind.places.join(", ")));
        }
        rest = after;
    }
    None
}

/// The languages to look for, best first: the very one, its language alone, English.
fn fallbacks(locale: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut tag = locale;
    while !tag.is_empty() {
        tags.push(tag.to_owned());
        tag = tag.rsplit_once('-').map_or("", |(shorter, _)| shorter);
    }
    if !tags.iter().any(|tag| tag == "en") {
        tags.push("en".to_owned());
    }
    tags
}

/// The template of a kind and channel in the language closest to that one.
pub(crate) fn closest<'a>(
    templates: &'a [Template],
    kind: &str,
    locale: &str,
    channel: Channel,
) -> Option<&'a Template> {
    let in_language = |tag: String| {
        templates.iter().find(|one| one.kind == kind && one.channel == channel && one.locale == tag)
    };
    fallbacks(locale).into_iter().find_map(in_language)
}

/// Whether a text is a language tag as BCP 47 shapes it.
pub(crate) fn is_locale(tag: &str) -> bool {
    let mut parts = tag.split('-');
    parts.next().is_some_and(|part| {
        (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    }) && parts
        .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kind;

    fn filled(subject: &str, body: &str, values: &[(&str, &str)]) -> (String, String) {
        let template = Template {
            kind: "welcome".into(),
            locale: "en".into(),
            channel: Channel::Email,
            subject: subject.into(),
            body: body.into(),
        };
        template.fill(&values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn values_are_put_in_as_they_are() {
        for value in ["{{7*7}}", "<script>alert(1)</script>", "{{name}}", "}}{{", "$1", "\\n"] {
            let (_, body) = filled("-", "[{{name}}]", &[("name", value)]);
            assert_eq!(body, format!("[{value}]"));
        }
    }

    #[test]
    fn a_subject_stays_one_line() {
        let (subject, _) = filled("Hello {{name}}", "-", &[("name", "Ann\r\nBcc: x@y.z\u{2028}!")]);
        assert_eq!(subject, "Hello Ann  Bcc: x@y.z !");
        assert!(filled("{{name}}", "-", &[("name", &"x".repeat(500))]).0.len() <= SUBJECT_CHARS_MAX);
    }

    #[test]
    fn a_place_without_a_value_stays_empty() {
        assert_eq!(filled("a{{ nothing }}b", "{{", &[]), ("ab".into(), "{{".into()));
    }

    #[test]
    fn a_text_may_use_its_own_places_only() {
        assert_eq!(fault("Hello {{name}}", &kind::WELCOME), None);
        assert!(fault("Hello {{code}}", &kind::WELCOME).is_some());
        assert!(fault("Hello {{name", &kind::WELCOME).is_some());
    }

    #[test]
    fn a_language_falls_back_to_its_own_and_then_to_english() {
        assert_eq!(fallbacks("zh-Hans-CN"), ["zh-Hans-CN", "zh-Hans", "zh", "en"]);
        assert_eq!(fallbacks("en-GB"), ["en-GB", "en"]);
        assert_eq!(fallbacks(""), ["en"]);
    }

    #[test]
    fn a_name_reads_back() {
        assert_eq!(
            parse_name("templates/order-shipped.zh-CN.inbox"),
            Some(("order-shipped", "zh-CN", Channel::Inbox))
        );
        for wrong in [
            "templates/a.b",
            "templates/a.b.sms",
            "templates/a.b.EMAIL",
            "a.b.email",
            "templates/a.b.email.c",
        ] {
            assert_eq!(parse_name(wrong), None, "{wrong}");
        }
    }
}
