//! Writes the checks that the contract's rules ask for: one `Check` for each message that a request can carry, and one
//! `Input` for each message that travels.

use std::error::Error;

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, Value,
};

use crate::names::{module_of, pascal, rust_ident, rust_path};
use crate::rules::Rules;

/// Writes one `Check` for each message that a request can carry, and one `Input` for each message that travels.
pub(crate) struct Checks<'a> {
    pool: &'a DescriptorPool,
    rules: ExtensionDescriptor,
    oneof_rules: ExtensionDescriptor,
    behavior: ExtensionDescriptor,
    issued_number: ExtensionDescriptor,
}

const REQUIRED: i32 = 2;
const OUTPUT_ONLY: i32 = 3;

impl<'a> Checks<'a> {
    pub(crate) fn new(pool: &'a DescriptorPool) -> Result<Self, Box<dyn Error>> {
        let extension =
            |name: &str| pool.get_extension_by_name(name).ok_or(format!("{name} is not declared"));
        Ok(Checks {
            pool,
            rules: extension("buf.validate.field")?,
            oneof_rules: extension("buf.validate.oneof")?,
            behavior: extension("google.api.field_behavior")?,
            issued_number: extension("cartwright.policy.v1.issued_number")?,
        })
    }

    pub(crate) fn generate(&self) -> String {
        let methods: Vec<_> =
            self.pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
        let inputs: Vec<_> = unique(methods.iter().map(|method| method.input()).collect());
        let outputs = unique(methods.iter().map(|method| method.output()).collect());
        let mut reached = inputs.clone();
        let mut next = 0;
        while let Some(message) = reached.get(next).cloned() {
            next += 1;
            for field in message.fields() {
                if let Kind::Message(inner) = field.kind()
                    && !field.is_map()
                    && !reached.contains(&inner)
                {
                    reached.push(inner);
                }
            }
        }
        let mut out = String::new();
        for message in &reached {
            out += &self.check(message);
        }
        for message in &inputs {
            out += &format!(
                "impl Input for {} {{ fn violations(&self) -> Violations {{ let mut found = Violations::default(); \
                 Check::check(self, \"\", &mut found); found }} }}\n",
                rust_path(message.full_name())
            );
        }
        out += "/// The broken rules of an encoded request, by the full name of its type.\n\
                #[cfg(test)] pub(super) fn violations_of(name: &str, encoded: &[u8]) -> Option<Violations> { match name {\n";
        for message in &inputs {
            out += &format!(
                "\"{}\" => Some(<{} as ::prost::Message>::decode(encoded).ok()?.violations()),\n",
                message.full_name(),
                rust_path(message.full_name())
            );
        }
        out += "_ => None } }\n";
        for message in outputs.iter().filter(|output| !inputs.contains(output)) {
            out += &format!("impl Input for {} {{}}\n", rust_path(message.full_name()));
        }
        out
    }

    fn check(&self, message: &MessageDescriptor) -> String {
        let mut body = String::new();
        for oneof in message.oneofs() {
            let required =
                oneof.options().get_extension(&self.oneof_rules).as_message().is_some_and(|rules| {
                    rules.get_field_by_name("required").is_some_and(|value| value.as_bool() == Some(true))
                });
            if required {
                body += &format!(
                    "if self.{0}.is_none() {{ found.add(path, \"{0}\", \"one of its fields must be set\"); }}\n",
                    oneof.name()
                );
            }
        }
        for field in message.fields() {
            body += &self.field(&field);
        }
        format!(
            "impl Check for {} {{ #[allow(unused_variables)] fn check(&self, path: &str, found: &mut Violations) {{\n{body}}} }}\n",
            rust_path(message.full_name())
        )
    }

    fn field(&self, field: &FieldDescriptor) -> String {
        let options = field.options();
        let behaviors: Vec<i32> = options
            .get_extension(&self.behavior)
            .as_list()
            .map(|list| list.iter().filter_map(Value::as_enum_number).collect())
            .unwrap_or_default();
        if behaviors.contains(&OUTPUT_ONLY) {
            return String::new();
        }
        let rules = options.get_extension(&self.rules);
        let rules = Rules(options.has_extension(&self.rules).then(|| rules.as_message().cloned()).flatten());
        if rules.ignores_always() {
            return String::new();
        }
        let required = behaviors.contains(&REQUIRED) || rules.flag("required");
        let name = field.name();
        let ident = rust_ident(name);

        if let Some(oneof) = field.containing_oneof()
            && !field.field_descriptor_proto().proto3_optional()
        {
            let body = self.scalar(field, &rules, "value", name, false);
            return if body.is_empty() {
                String::new()
            } else {
                format!(
                    "if let Some({}::{}::{}(value)) = &self.{} {{ {body} }}\n",
                    module_of(field.parent_message().full_name()),
                    pascal(oneof.name()),
                    pascal(name),
                    rust_ident(oneof.name())
                )
            };
        }
        if field.is_map() {
            return match rules.within("map").number("max_pairs") {
                Some(most) => format!(
                    "if self.{ident}.len() as u64 > {most} {{ found.add(path, \"{name}\", \"must have at most {most} entries\"); }}\n"
                ),
                None => String::new(),
            };
        }
        if field.cardinality() == Cardinality::Repeated {
            return self.list(field, &rules, required);
        }
        let optional = field.supports_presence();
        if optional {
            let missing = if required {
                format!("else {{ found.add(path, \"{name}\", \"is required\"); }}")
            } else {
                String::new()
            };
            let mut body = self.scalar(field, &rules, "value", name, false);
            if self.is_updated(field) {
                // An update answers only for the fields that it changes.
                body = format!(
                    "let mut inner = Violations::default(); Check::check(value, \"{name}\", &mut inner); \
                     found.add_masked(inner, path, \"{name}\", self.update_mask.as_ref());\n"
                );
            }
            if body.is_empty() && missing.is_empty() {
                return String::new();
            }
            return format!("if let Some(value) = &self.{ident} {{ {body} }} {missing}\n");
        }
        let body = self.scalar(field, &rules, &format!("(&self.{ident})"), name, required);
        let skip_empty =
            rules.ignores_zero() || (!required && matches!(field.kind(), Kind::String | Kind::Enum(_)));
        match (body.is_empty(), skip_empty) {
            (true, _) => String::new(),
            (false, true) => {
                let present = match field.kind() {
                    Kind::String | Kind::Bytes => format!("!self.{ident}.is_empty()"),
                    _ => format!("self.{ident} != 0"),
                };
                format!("if {present} {{ {body} }}\n")
            }
            (false, false) => body,
        }
    }

    /// Whether the field is the resource that an update with a mask changes.
    fn is_updated(&self, field: &FieldDescriptor) -> bool {
        let resource =
            matches!(field.kind(), Kind::Message(message) if message.full_name().starts_with("cartwright."));
        resource && field.parent_message().get_field_by_name("update_mask").is_some()
    }

    /// Whether what looks like a card number in the field is a number of another kind.
    fn holds_issued_numbers(&self, field: &FieldDescriptor) -> bool {
        field.options().get_extension(&self.issued_number).as_bool() == Some(true)
    }

    fn list(&self, field: &FieldDescriptor, rules: &Rules, required: bool) -> String {
        let name = field.name();
        let ident = rust_ident(name);
        let mut out = String::new();
        let list = rules.within("repeated");
        let fewest = list.number("min_items").unwrap_or_default().max(i64::from(required));
        if fewest > 0 {
            out += &format!(
                "if (self.{ident}.len() as u64) < {fewest} {{ found.add(path, \"{name}\", \"must have at least {fewest} item(s)\"); }}\n"
            );
        }
        // A list without a stated bound still has one: every external input has a limit.
        let most = list.number("max_items").unwrap_or(1000);
        out += &format!(
            "if self.{ident}.len() as u64 > {most} {{ found.add(path, \"{name}\", \"must have at most {most} items\"); return; }}\n"
        );
        if list.flag("unique") {
            out += &format!(
                "{{ let mut seen = std::collections::BTreeSet::new(); if !self.{ident}.iter().all(|item| seen.insert(item)) {{ found.add(path, \"{name}\", \"must not repeat an item\"); }} }}\n"
            );
        }
        let items = Rules(list.message("items"));
        if items.ignores_always() {
            return out;
        }
        let body = self.scalar(field, &items, "item", &format!("{name}[{{index}}]"), false);
        if !body.is_empty() {
            out += &format!("for (index, item) in self.{ident}.iter().enumerate() {{ {body} }}\n");
        }
        out
    }

    /// Checks one value, given as the expression of a reference to it.
    fn scalar(
        &self,
        field: &FieldDescriptor,
        rules: &Rules,
        value: &str,
        name: &str,
        required: bool,
    ) -> String {
        let name = format!("&format!(\"{name}\")");
        let add = |condition: String, description: String| {
            format!("if {condition} {{ found.add(path, {name}, \"{description}\"); }}\n")
        };
        let mut out = String::new();
        match field.kind() {
            Kind::Message(message) if is_ours(&message) => {
                out += &format!("Check::check({value}, &found.inside(path, {name}), found);\n");
            }
            Kind::Message(message) if message.full_name() == "google.protobuf.FieldMask" => {
                out += &format!(
                    "if {value}.paths.iter().any(|path| holds_number(path)) {{ found.add_card(path, {name}); }}\n"
                );
            }
            Kind::String => {
                let rules = rules.within("string");
                out +=
                    &format!("if let Some(fault) = fault({value}) {{ found.add(path, {name}, fault); }}\n");
                let exact = rules.number("len");
                let fewest = exact.or(rules.number("min_len")).unwrap_or_default().max(i64::from(required));
                if fewest == 1 {
                    out += &add(format!("{value}.trim().is_empty()"), "is required".into());
                } else if fewest > 1 {
                    out += &add(
                        format!("({value}.chars().count() as u64) < {fewest}"),
                        format!("must have at least {fewest} characters"),
                    );
                }
                let most = exact.or(rules.number("max_len")).unwrap_or(4096);
                out += &add(
                    format!("{value}.len() as u64 > {most} && {value}.chars().count() as u64 > {most}"),
                    format!("must have at most {most} characters"),
                );
                if let Some(most) = rules.number("max_bytes") {
                    out += &add(
                        format!("{value}.len() as u64 > {most}"),
                        format!("must have at most {most} bytes"),
                    );
                }
                if rules.flag("email") {
                    out += &add(format!("!is_email({value})"), "must be an e-mail address".into());
                }
                if rules.flag("uuid") {
                    out += &add(format!("!is_uuid({value})"), "must be a UUID".into());
                } else if !self.holds_issued_numbers(field) {
                    out += &format!("if holds_number({value}) {{ found.add_card(path, {name}); }}\n");
                }
            }
            Kind::Bytes => {
                let rules = rules.within("bytes");
                let fewest = rules.number("min_len").unwrap_or_default().max(i64::from(required));
                if fewest > 0 {
                    out += &add(
                        format!("({value}.len() as u64) < {fewest}"),
                        format!("must have at least {fewest} bytes"),
                    );
                }
                if let Some(most) = rules.number("max_len") {
                    out += &add(
                        format!("{value}.len() as u64 > {most}"),
                        format!("must have at most {most} bytes"),
                    );
                }
            }
            Kind::Enum(declared) => out += &enum_check(&declared, value, &add, required),
            Kind::Int32 | Kind::Int64 => {
                let rules = rules.within(if field.kind() == Kind::Int32 { "int32" } else { "int64" });
                for (rule, refused, words) in [
                    ("lt", ">=", "less than"),
                    ("lte", ">", "at most"),
                    ("gt", "<=", "greater than"),
                    ("gte", "<", "at least"),
                ] {
                    if let Some(bound) = rules.number(rule) {
                        out +=
                            &add(format!("*{value} {refused} {bound}"), format!("must be {words} {bound}"));
                    }
                }
            }
            _ => {}
        }
        out
    }
}

fn enum_check(
    declared: &EnumDescriptor,
    value: &str,
    add: &impl Fn(String, String) -> String,
    required: bool,
) -> String {
    let path = rust_path(declared.full_name());
    let mut out =
        add(format!("{path}::try_from(*{value}).is_err()"), "must be a value the contract defines".into());
    if required {
        out += &add(format!("*{value} == 0"), "is required".into());
    }
    out
}

/// Whether checks are made for a message: not for those that come with prost.
fn is_ours(message: &MessageDescriptor) -> bool {
    ["cartwright.", "google.type."].iter().any(|package| message.full_name().starts_with(package))
}

fn unique(messages: Vec<MessageDescriptor>) -> Vec<MessageDescriptor> {
    let mut kept: Vec<MessageDescriptor> = Vec::new();
    for message in messages {
        if !kept.contains(&message) {
            kept.push(message);
        }
    }
    kept
}
