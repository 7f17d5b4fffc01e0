//! What the contract says about each method, read from the descriptor set once.
use std::{borrow::Cow, collections::HashMap, sync::LazyLock, time::Duration};

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};

/// The deadline where a method declares none.
const DEADLINE: Duration = Duration::from_secs(5);
/// The largest request where a method declares none.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// Everything the contract describes.
pub static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // The set is made by the build that compiled this program, so reading it cannot fail in a program that was tested.
    DescriptorPool::decode(contract::DESCRIPTORS).expect("the contract's descriptor set")
});

static METHODS: LazyLock<HashMap<String, MethodPolicy>> = LazyLock::new(|| {
    let methods = POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods
        .filter_map(|method| MethodPolicy::read(&method))
        .map(|policy| (policy.path.clone(), policy))
        .collect()
});

/// Who may call a method from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, with or without a token.
    Public,
    /// Anyone with a token, guests too.
    Guest,
    /// A signed-in user.
    User,
    /// A user who holds the permission.
    Permission(String),
    /// Services only.
    Internal,
}

/// What the contract says about one method.
#[derive(Clone, Debug)]
pub struct MethodPolicy {
    /// As in the request line: `/cartwright.order.v1.OrderService/GetOrder`.
    pub path: String,
    /// Who may call from outside.
    pub access: Access,
    /// Whether it gives a session, so that a token whose time is over is no obstacle.
    pub gives_session: bool,
    /// The services that may also call as themselves; with `Internal` and none named, all of them.
    pub services: Vec<String>,
    /// The longest a call may take.
    pub deadline: Duration,
    /// Whether asking twice is harmless: reads, and writes under a request id.
    pub idempotent: bool,
    /// Whether it only reads.
    pub safe: bool,
    /// The largest request accepted.
    pub request_bytes_max: usize,
    /// Whether the caller sends a stream.
    pub client_streaming: bool,
    /// Whether the answer is a stream.
    pub server_streaming: bool,
    /// Its REST routes, the main one first.
    pub http: Vec<HttpRule>,
}

/// A REST route of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRule {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`, or the custom verb.
    pub method: String,
    /// The path template, such as `/v1/{name=orders/*}`.
    pub template: String,
    /// The field that is the body; `*` for the whole message, empty for none.
    pub body: String,
    /// The field of the reply that is the body; empty for the whole message.
    pub response_body: String,
}

/// The policy of a method, by its path. None for methods the contract does not have, such as health checks.
pub fn of(path: &str) -> Option<&'static MethodPolicy> {
    METHODS.get(path)
}

/// The policy of every method.
pub fn all() -> impl Iterator<Item = &'static MethodPolicy> {
    METHODS.values()
}

/// Replaces personal and secret values by asterisks, so that the message may be logged.
pub fn mask(message: &mut DynamicMessage) {
    let fields: Vec<_> = message.fields().map(|(field, _)| field).collect();
    for field in fields {
        if extension(&field.options(), "cartwright.policy.v1.sensitive").and_then(|value| value.as_bool())
            == Some(true)
        {
            let masked = field.kind() == prost_reflect::Kind::String && !field.is_list() && !field.is_map();
            if masked {
                message.set_field(&field, Value::String("***".to_owned()));
            } else {
                message.clear_field(&field);
            }
            continue;
        }
        match message.get_field_mut(&field) {
            Value::Message(inner) => mask(inner),
            Value::List(items) => items.iter_mut().filter_map(Value::as_message_mut).for_each(mask),
            Value::Map(entries) => entries.values_mut().filter_map(Value::as_message_mut).for_each(mask),
            Value::Bool(_)
            | Value::I32(_)
            | Value::I64(_)
            | Value::U32(_)
            | Value::U64(_)
            | Value::F32(_)
            | Value::F64(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::EnumNumber(_) => {}
        }
    }
}

impl MethodPolicy {
    /// Whether the service may call as itself.
    pub fn admits(&self, service: &str) -> bool {
        let any = self.access == Access::Internal && self.services.is_empty();
        any || self.services.iter().any(|name| name == service)
    }

    /// The service's full name, such as `cartwright.order.v1.OrderService`.
    pub fn service(&self) -> &str {
        self.path.trim_start_matches('/').split('/').next().unwrap_or_default()
    }

    /// The method's own name, such as `GetOrder`.
    pub fn method(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The noun of the service that answers it: `order` for `cartwright.order.v1.OrderService`.
    pub fn noun(&self) -> &str {
        self.service().split('.').nth(1).unwrap_or_default()
    }

    fn read(method: &MethodDescriptor) -> Option<Self> {
        let options = method.options();
        let access = extension(&options, "cartwright.policy.v1.access")?;
        let access = access.as_message()?;
        let level = method
            .method_descriptor_proto()
            .options
            .as_ref()
            .map_or(0, |options| options.idempotency_level() as i32);
        Some(Self {
            path: format!("/{}/{}", method.parent_service().full_name(), method.name()),
            services: texts(access, "services"),
            gives_session: access.get_field_by_name("gives_session").and_then(|said| said.as_bool())
                == Some(true),
            access: rule(access)?,
            deadline: extension(&options, "cartwright.policy.v1.deadline")
                .and_then(|value| duration(&value))
                .unwrap_or(DEADLINE),
            idempotent: level != 0,
            safe: level == 1,
            request_bytes_max: extension(&options, "cartwright.policy.v1.request_bytes_max")
                .and_then(|value| usize::try_from(value.as_i32()?).ok())
                .filter(|bytes| *bytes > 0)
                .unwrap_or(REQUEST_BYTES_MAX),
            client_streaming: method.is_client_streaming(),
            server_streaming: method.is_server_streaming(),
            http: extension(&options, "google.api.http")
                .and_then(|value| Some(routes(value.as_message()?)))
                .unwrap_or_default(),
        })
    }
}

/// The value of an option, when the declaration says it.
fn extension(options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = POOL.get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

fn rule(access: &DynamicMessage) -> Option<Access> {
    let said = |name| access.has_field_by_name(name);
    if said("public") {
        Some(Access::Public)
    } else if said("guest") {
        Some(Access::Guest)
    } else if said("user") {
        Some(Access::User)
    } else if said("permission") {
        Some(Access::Permission(text(access, "permission")))
    } else {
        // Nothing said but services: as good as internal.
        Some(Access::Internal)
    }
}

fn duration(value: &Value) -> Option<Duration> {
    let message = value.as_message()?;
    let seconds = u64::try_from(message.get_field_by_name("seconds")?.as_i64()?).ok()?;
    let nanos = u32::try_from(message.get_field_by_name("nanos")?.as_i32()?).ok()?;
    Some(Duration::new(seconds, nanos))
}

fn routes(rule: &DynamicMessage) -> Vec<HttpRule> {
    let verb =
        ["get", "put", "post", "delete", "patch"].into_iter().find(|verb| rule.has_field_by_name(verb));
    let (method, template) = match verb {
        Some(verb) => (verb.to_uppercase(), text(rule, verb)),
        None => match rule.get_field_by_name("custom").as_deref().and_then(Value::as_message) {
            Some(custom) => (text(custom, "kind"), text(custom, "path")),
            None => return Vec::new(),
        },
    };
    let main =
        HttpRule { method, template, body: text(rule, "body"), response_body: text(rule, "response_body") };
    let more = rule.get_field_by_name("additional_bindings").map(Cow::into_owned);
    let more = more.as_ref().and_then(Value::as_list).unwrap_or_default();
    std::iter::once(main).chain(more.iter().filter_map(Value::as_message).flat_map(routes)).collect()
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

fn texts(message: &DynamicMessage, field: &str) -> Vec<String> {
    let value = message.get_field_by_name(field);
    let items = value.as_deref().and_then(Value::as_list).unwrap_or_default();
    items.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}

#[cfg(test)]
impl MethodPolicy {
    pub(crate) fn for_test(access: Access, services: &[&str]) -> Self {
        Self {
            path: "/cartwright.order.v1.OrderService/GetOrder".to_owned(),
            access,
            gives_session: false,
            services: services.iter().map(|service| (*service).to_owned()).collect(),
            deadline: DEADLINE,
            idempotent: true,
            safe: true,
            request_bytes_max: REQUEST_BYTES_MAX,
            client_streaming: false,
            server_streaming: false,
            http: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_contract_has_a_policy() {
        for service in POOL.services().filter(|service| service.full_name().starts_with("cartwright.")) {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                assert!(of(&path).is_some(), "{path}");
            }
        }
    }

    #[test]
    fn options_are_read_as_declared() {
        let policy = |method| of(&format!("/cartwright.inventory.v1.InventoryService/{method}")).unwrap();
        let reserve = policy("ReserveStock");
        assert_eq!(
            (&reserve.access, reserve.services.as_slice()),
            (&Access::Internal, &["order".to_owned()][..])
        );
        assert!(
            !reserve.safe && !reserve.admits("cart") && reserve.admits("order") && reserve.http.is_empty()
        );
        let get = policy("GetStock");
        assert_eq!(
            (&get.access, get.deadline, get.request_bytes_max),
            (&Access::Public, Duration::from_secs(2), 256 * 1024)
        );
        assert!(get.safe && get.idempotent && !get.server_streaming);
        assert_eq!(
            get.http.iter().map(|rule| (rule.method.as_str(), rule.template.as_str())).collect::<Vec<_>>(),
            [("GET", "/v1/{name=stock/*}")]
        );
        assert_eq!(policy("ListStock").access, Access::Permission("stock.read".to_owned()));
        assert_eq!(policy("BatchReceiveStock").request_bytes_max, 1024 * 1024);
        assert!(policy("WatchStock").server_streaming);
        assert_eq!((get.noun(), get.method()), ("inventory", "GetStock"));
    }

    #[test]
    fn what_is_personal_or_secret_is_masked() {
        let message = POOL.get_message_by_name("cartwright.identity.v1.LoginRequest").unwrap();
        let sensitive = |field: &prost_reflect::FieldDescriptor| {
            extension(&field.options(), "cartwright.policy.v1.sensitive").is_some()
        };
        let fields: Vec<_> = message.fields().filter(sensitive).collect();
        assert!(!fields.is_empty());
        let mut login = DynamicMessage::new(message);
        for field in fields.iter().filter(|field| field.kind() == prost_reflect::Kind::String) {
            login.set_field(field, Value::String("hunter2".to_owned()));
        }
        mask(&mut login);
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
