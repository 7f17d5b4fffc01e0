//! How prost calls in Rust what the contract calls otherwise.

/// `cartwright.order.v1.Order.State` is `crate::generated::cartwright::order::v1::order::State`.
pub(crate) fn rust_path(full_name: &str) -> String {
    if let Some(name) = full_name.strip_prefix("google.protobuf.") {
        return if name == "Empty" { "()".into() } else { format!("::prost_types::{name}") };
    }
    let (parents, name) = full_name.rsplit_once('.').unwrap_or(("", full_name));
    let modules: Vec<String> = parents.split('.').map(|part| rust_ident(&snake(part))).collect();
    format!("crate::generated::{}::{name}", modules.join("::"))
}

/// The module in which prost puts the oneofs of a message.
pub(crate) fn module_of(full_name: &str) -> String {
    let (parents, name) = full_name.rsplit_once('.').unwrap_or(("", full_name));
    let modules: Vec<String> = parents.split('.').map(|part| rust_ident(&snake(part))).collect();
    format!("crate::generated::{}::{}", modules.join("::"), snake(name))
}

pub(crate) fn rust_ident(name: &str) -> String {
    match name {
        "type" | "match" | "ref" | "move" | "use" | "in" | "where" => format!("r#{name}"),
        _ => name.into(),
    }
}

pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

pub(crate) fn pascal(name: &str) -> String {
    name.split('_')
        .map(|part| {
            let mut letters = part.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
                .unwrap_or_default()
        })
        .collect()
}
