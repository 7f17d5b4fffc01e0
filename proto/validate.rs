//! What the generated checks stand on: the violations they collect, and the well-known forms.

/// The fields of a message that break the contract, each with the reason.
#[derive(Debug, Default)]
pub struct Violations(Vec<(String, String)>);

/// More than this many are not listed: the caller has enough to go on.
const VIOLATIONS_MAX: usize = 20;

/// What is wrong with a field that holds a card number. The number itself is never repeated.
const CARD: &str = "must not hold a card number";

impl Violations {
    /// Notes that a field, below `path`, breaks a rule.
    pub fn add(&mut self, path: &str, field: &str, description: &str) {
        let place = self.inside(path, field);
        // What is missing has nothing else wrong with it.
        let missing = self.0.iter().any(|(known, words)| *known == place && words == "is required");
        if !missing && self.0.len() < VIOLATIONS_MAX {
            self.0.push((place, description.into()));
        }
    }

    /// Notes that a field, below `path`, holds a card number.
    pub fn add_card(&mut self, path: &str, field: &str) {
        self.add(path, field, CARD);
    }

    /// Notes what is wrong with the new values of a resource, as far as the update changes them: a field that the mask
    /// does not name may hold anything but a card number, and without a mask a field that is not set stays as it is.
    pub fn add_masked(
        &mut self,
        inner: Violations,
        path: &str,
        field: &str,
        mask: Option<&prost_types::FieldMask>,
    ) {
        let changed = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
        for (place, description) in inner.0 {
            let rest = place.get(field.len() + 1..).unwrap_or_default();
            let top = rest.split(['.', '[']).next().unwrap_or_default();
            let answers = match changed {
                [] => rest != top || description != "is required",
                paths => paths.iter().any(|path| path == "*" || path == top),
            };
            if answers || description == CARD {
                self.add(path, &place, &description);
            }
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
    use crate::card::holds_number;
    use crate::text::fault;

    include!(concat!(env!("OUT_DIR"), "/checks.rs"));
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

    use super::checks::violations_of;
    use super::{CARD, Input};
    use crate::catalog::v1::{Product, UpdateProductRequest};
    use crate::order::v1::PlaceOrderRequest;

    fn fields(title: &str, paths: &[&str]) -> Vec<String> {
        let request = UpdateProductRequest {
            product: Some(Product { title: title.into(), etag: "x".repeat(65), ..Product::default() }),
            update_mask: (!paths.is_empty())
                .then(|| prost_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() }),
            ..UpdateProductRequest::default()
        };
        request.violations().iter().map(|(field, _)| field.to_owned()).collect()
    }

    #[test]
    fn what_is_missing_is_said_once() {
        let violations = PlaceOrderRequest::default().violations();
        let mut fields: Vec<&str> = violations.iter().map(|(field, _)| field).collect();
        assert!(violations.iter().any(|found| found == ("request_id", "is required")), "{violations:?}");
        fields.sort_unstable();
        let named = fields.len();
        fields.dedup();
        assert_eq!(fields.len(), named, "{violations:?}");
    }

    #[test]
    fn an_update_answers_only_for_the_fields_it_changes() {
        assert_eq!(fields("", &["state"]), Vec::<String>::new());
        assert_eq!(fields("", &["title"]), ["product.title"]);
        assert_eq!(fields(&"x".repeat(201), &["etag"]), ["product.etag"]);
        assert_eq!(fields("", &[]), ["product.etag"]);
        assert_eq!(fields("", &["*"]), ["product.title", "product.etag"]);
        assert_eq!(fields("4242 4242 4242 4242", &["state"]), ["product.title"]);
    }

    const NUMBER: &str = "4242 4242 4242 4242";

    /// The message with a card number in one of its texts, for each of them, with the text's path.
    fn carrying(message: &MessageDescriptor, depth: usize) -> Vec<(String, DynamicMessage)> {
        let mut found = Vec::new();
        for field in message.fields().filter(is_taken_in) {
            let mut carry = |path: String, value: Value| {
                let mut carrier = DynamicMessage::new(message.clone());
                let listed = field.is_list();
                carrier.set_field(&field, if listed { Value::List(vec![value]) } else { value });
                let place = if listed { format!("{}[0]", field.name()) } else { field.name().to_owned() };
                found.push((format!("{place}{path}"), carrier));
            };
            match field.kind() {
                Kind::String => carry(String::new(), Value::String(NUMBER.into())),
                Kind::Message(inner) if inner.full_name() == "google.protobuf.FieldMask" => {
                    let mut mask = DynamicMessage::new(inner);
                    mask.set_field_by_name("paths", Value::List(vec![Value::String(NUMBER.into())]));
                    carry(String::new(), Value::Message(mask));
                }
                Kind::Message(inner) => {
                    assert!(!field.is_map(), "{}: the checks pass maps over", field.full_name());
                    assert!(depth < 8, "{}: too deep to look into", field.full_name());
                    for (path, value) in carrying(&inner, depth + 1) {
                        carry(format!(".{path}"), Value::Message(value));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Whether what a client writes there is read as text, and not as a number that others issue.
    fn is_taken_in(field: &FieldDescriptor) -> bool {
        let (options, pool) = (field.options(), field.parent_pool());
        let option = |name: &str| {
            options
                .get_extension(&pool.get_extension_by_name(name).expect("the option is declared"))
                .into_owned()
        };
        let behaviors = option("google.api.field_behavior");
        let is_output = behaviors.as_list().is_some_and(|list| list.contains(&Value::EnumNumber(3)));
        let within =
            |value: Value, name: &str| Some(value.as_message()?.get_field_by_name(name)?.into_owned());
        let ignored = Some(option("buf.validate.field"))
            .and_then(|rules| within(within(within(rules, "repeated")?, "items")?, "ignore"));
        let checked_in_rows = ignored == Some(Value::EnumNumber(3));
        let is_issued = option("cartwright.policy.v1.issued_number").as_bool() == Some(true);
        !is_output && !is_issued && !checked_in_rows
    }

    #[test]
    fn a_card_number_is_refused_in_every_text_of_every_request() {
        let pool = DescriptorPool::decode(crate::DESCRIPTORS).expect("the descriptor set decodes");
        let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let mut texts = 0;
        for input in methods.map(|method| method.input()) {
            for (path, request) in carrying(&input, 0) {
                let found = violations_of(input.full_name(), &request.encode_to_vec());
                let found = found.unwrap_or_else(|| panic!("{} is not a request", input.full_name()));
                let says = found
                    .iter()
                    .find(|(field, what)| *field == path && (*what == CARD || what.contains("UUID")));
                assert!(says.is_some(), "{}.{path}: {found:?}", input.full_name());
                assert!(!format!("{found:?}").contains("4242"), "{found:?}");
                texts += 1;
            }
        }
        assert!(texts > 300, "only {texts} texts were looked at");
    }
}
