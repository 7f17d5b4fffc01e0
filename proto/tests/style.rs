//! Reads the descriptor set and asks every file of the contract to keep the house style.

use std::collections::BTreeSet;

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor, Value,
};

const NOUNS: [&str; 10] = [
    "identity",
    "catalog",
    "inventory",
    "cart",
    "order",
    "payment",
    "shipping",
    "promotion",
    "notification",
    "analytics",
];

fn pool() -> DescriptorPool {
    DescriptorPool::decode(contract::DESCRIPTORS).expect("the descriptor set decodes")
}

fn services(pool: &DescriptorPool) -> Vec<ServiceDescriptor> {
    pool.services().filter(|service| service.full_name().starts_with("cartwright.")).collect()
}

fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    services(pool).iter().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn messages(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    pool.all_messages()
        .filter(|message| {
            message.full_name().starts_with("cartwright.") && message.package_name() != "cartwright.policy.v1"
        })
        .filter(|message| !message.is_map_entry())
        .collect()
}

fn fields(pool: &DescriptorPool) -> Vec<FieldDescriptor> {
    messages(pool).iter().flat_map(|message| message.fields().collect::<Vec<_>>()).collect()
}

fn enums(pool: &DescriptorPool) -> Vec<EnumDescriptor> {
    pool.all_enums().filter(|declared| declared.full_name().starts_with("cartwright.")).collect()
}

fn option(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool.get_extension_by_name(name).expect("the option is declared");
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

fn is_event(pool: &DescriptorPool, message: &MessageDescriptor) -> bool {
    option(pool, &message.options(), "cartwright.policy.v1.event").is_some()
}

/// The leading comment at a path of the file's descriptor.
fn comment(file: &prost_reflect::FileDescriptor, path: &[i32]) -> String {
    let descriptor = file.file_descriptor_proto();
    let info = descriptor.source_code_info.as_ref().expect("comments are compiled in");
    let location = info.location.iter().find(|location| location.path == path);
    location.map(|location| location.leading_comments().trim().to_owned()).unwrap_or_default()
}

fn number(index: usize) -> i32 {
    i32::try_from(index).expect("few enough")
}

/// Asks a fact of many things, and names all that lack it.
fn all_hold<T>(things: &[T], name: impl Fn(&T) -> String, holds: impl Fn(&T) -> bool) {
    assert!(!things.is_empty(), "nothing was looked at");
    let offenders: Vec<String> = things.iter().filter(|thing| !holds(thing)).map(name).collect();
    assert!(offenders.is_empty(), "{offenders:#?}");
}

#[test]
fn every_noun_has_a_service_of_its_name() {
    let pool = pool();
    for noun in NOUNS {
        let mut name = noun.to_owned();
        name[..1].make_ascii_uppercase();
        let full = format!("cartwright.{noun}.v1.{name}Service");
        assert!(pool.get_service_by_name(&full).is_some(), "{full} is missing");
    }
}

#[test]
fn every_method_says_who_may_call_it() {
    let pool = pool();
    all_hold(
        &methods(&pool),
        |method| method.full_name().to_owned(),
        |method| {
            let access = option(&pool, &method.options(), "cartwright.policy.v1.access");
            access.and_then(|access| {
                let access = access.as_message()?.clone();
                let rules = ["public", "guest", "user", "permission", "internal"];
                Some(rules.iter().filter(|rule| access.has_field_by_name(rule)).count() == 1)
            }) == Some(true)
        },
    );
}

#[test]
fn every_method_has_a_deadline_of_at_most_a_minute() {
    let pool = pool();
    all_hold(
        &methods(&pool),
        |method| method.full_name().to_owned(),
        |method| {
            let deadline = option(&pool, &method.options(), "cartwright.policy.v1.deadline");
            let seconds =
                deadline.and_then(|deadline| deadline.as_message()?.get_field_by_name("seconds")?.as_i64());
            seconds.is_some_and(|seconds| (1..=60).contains(&seconds))
        },
    );
}

#[test]
fn everything_has_a_comment() {
    let pool = pool();
    let mut silent = Vec::new();
    for file in pool.files().filter(|file| file.name().starts_with("cartwright/")) {
        for (index, message) in file.messages().enumerate() {
            silent_message(&file, &message, &[4, number(index)], &mut silent);
        }
        for (index, service) in file.services().enumerate() {
            let path = [6, number(index)];
            if comment(&file, &path).is_empty() {
                silent.push(service.full_name().to_owned());
            }
            for (place, method) in service.methods().enumerate() {
                if comment(&file, &[path[0], path[1], 2, number(place)]).is_empty() {
                    silent.push(method.full_name().to_owned());
                }
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

fn silent_message(
    file: &prost_reflect::FileDescriptor,
    message: &MessageDescriptor,
    path: &[i32],
    silent: &mut Vec<String>,
) {
    let below = |kind: i32, index: usize| [path, &[kind, number(index)]].concat();
    if comment(file, path).is_empty() {
        silent.push(message.full_name().to_owned());
    }
    for (index, field) in message.descriptor_proto().field.iter().enumerate() {
        if comment(file, &below(2, index)).is_empty() {
            silent.push(format!("{}.{}", message.full_name(), field.name()));
        }
    }
    for (index, declared) in message.descriptor_proto().enum_type.iter().enumerate() {
        let place = below(4, index);
        for value in 0..declared.value.len() {
            if comment(file, &[place.as_slice(), &[2, number(value)]].concat()).is_empty() {
                silent.push(format!("{}.{} value {value}", message.full_name(), declared.name()));
            }
        }
    }
}

#[test]
fn every_field_says_how_it_behaves() {
    let pool = pool();
    all_hold(
        &fields(&pool),
        |field| field.full_name().to_owned(),
        |field| {
            let behavior = option(&pool, &field.options(), "google.api.field_behavior");
            behavior.is_some_and(|behavior| behavior.as_list().is_some_and(|list| !list.is_empty()))
        },
    );
}

#[test]
fn fields_are_numbered_from_one_without_gaps() {
    let pool = pool();
    all_hold(
        &messages(&pool),
        |message| message.full_name().to_owned(),
        |message| {
            let mut taken: BTreeSet<u32> = message.fields().map(|field| field.number()).collect();
            for range in message.reserved_ranges() {
                taken.extend(range);
            }
            taken.iter().copied().eq(1..=u32::try_from(taken.len()).expect("few enough"))
        },
    );
}

#[test]
fn requests_and_answers_are_named_after_their_method() {
    let pool = pool();
    all_hold(
        &methods(&pool),
        |method| method.full_name().to_owned(),
        |method| {
            let output = method.output();
            method.input().name() == format!("{}Request", method.name())
                && (!output.name().ends_with("Response")
                    || output.name() == format!("{}Response", method.name()))
        },
    );
}

#[test]
fn lists_are_paged() {
    let pool = pool();
    let lists: Vec<MethodDescriptor> = methods(&pool)
        .into_iter()
        .filter(|method| method.name().starts_with("List") && method.output().name().ends_with("Response"))
        .filter(|method| method.name() != "ListAccountBalances") // there are a handful of accounts
        .collect();
    all_hold(
        &lists,
        |method| method.full_name().to_owned(),
        |method| {
            let asks = ["page_size", "page_token"]
                .iter()
                .all(|field| method.input().get_field_by_name(field).is_some());
            let first = method.output().get_field(1).is_some_and(|field| field.is_list());
            asks && first && method.output().get_field_by_name("next_page_token").is_some()
        },
    );
}

#[test]
fn what_changes_something_can_be_repeated() {
    const BY_NATURE: &[&str] = &[
        // Their outcome is a state or a fresh secret: asked again, they give it again or another.
        "Login",
        "CreateGuest",
        "RefreshSession",
        "Logout",
        "RevokeSessions",
        "ChangePassword",
        "RequestPasswordReset",
        "ResetPassword",
        "VerifyContact",
        "ResendVerification",
        "DisableUser",
        "EnableUser",
        "DeleteAddress",
        "DeleteRole",
        "GrantRole",
        "RevokeRole",
        "SetGuestContact",
        "RequestOrderClaim",
        "ClaimOrder",
        "ImportUsers",
        "ImportOrders",
        "RebuildOrders",
        "CommitReservation",
        "ReleaseReservation",
        "ReopenCart",
        "SetLowStockThreshold",
        "RetrySaga",
        "SkipSagaStep",
        "RunReconciliation",
        // Its sender numbers what it sends.
        "ReceiveWebhook",
    ];
    let pool = pool();
    let changing: Vec<MethodDescriptor> = methods(&pool)
        .into_iter()
        .filter(|method| {
            method.method_descriptor_proto().options.as_ref().map(|options| options.idempotency_level())
                != Some(prost_types::method_options::IdempotencyLevel::NoSideEffects)
        })
        .filter(|method| !BY_NATURE.contains(&method.name()) && method.name() != "CompensateSaga")
        .collect();
    all_hold(
        &changing,
        |method| method.full_name().to_owned(),
        |method| method.input().get_field_by_name("request_id").is_some(),
    );
}

#[test]
fn a_request_id_is_required_where_money_moves() {
    let pool = pool();
    for name in ["PlaceOrderRequest", "ReceiveReturnRequest"] {
        assert_required(&pool, &format!("cartwright.order.v1.{name}"));
    }
    for name in [
        "AuthorizePaymentRequest",
        "CapturePaymentRequest",
        "VoidPaymentRequest",
        "RefundPaymentRequest",
        "ApprovePaymentRequest",
        "RefusePaymentRequest",
    ] {
        assert_required(&pool, &format!("cartwright.payment.v1.{name}"));
    }
}

fn assert_required(pool: &DescriptorPool, message: &str) {
    let field = pool
        .get_message_by_name(message)
        .and_then(|message| message.get_field_by_name("request_id"))
        .expect(message);
    let behavior = option(pool, &field.options(), "google.api.field_behavior").expect("a behaviour");
    assert!(behavior.as_list().expect("a list").contains(&Value::EnumNumber(2)), "{message}");
}

#[test]
fn events_name_their_resource_first_and_carry_nothing_personal() {
    let pool = pool();
    let events: Vec<MessageDescriptor> =
        messages(&pool).into_iter().filter(|message| is_event(&pool, message)).collect();
    all_hold(
        &events,
        |event| event.full_name().to_owned(),
        |event| {
            let names_one = |message: &MessageDescriptor| {
                message.get_field(1).is_some_and(|field| field.kind() == Kind::String && !field.is_list())
            };
            // Or several, each in a message of its own.
            let first = names_one(event)
                || event.get_field(1).is_some_and(
                    |field| matches!(field.kind(), Kind::Message(each) if field.is_list() && names_one(&each)),
                );
            let personal = event.fields().any(|field| {
                option(&pool, &field.options(), "cartwright.policy.v1.sensitive").is_some()
                    || matches!(field.kind(), Kind::Message(inner) if inner.name() == "PostalAddress")
            });
            let in_place = event.parent_file().name().ends_with("_events.proto");
            first && !personal && in_place
        },
    );
}

#[test]
fn money_is_never_a_float_and_quantities_are_never_unsigned() {
    let pool = pool();
    all_hold(
        &fields(&pool),
        |field| field.full_name().to_owned(),
        |field| {
            !matches!(
                field.kind(),
                Kind::Float | Kind::Double | Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64
            )
        },
    );
}

#[test]
fn enums_begin_with_unspecified() {
    let pool = pool();
    all_hold(
        &enums(&pool),
        |declared| declared.full_name().to_owned(),
        |declared| {
            declared
                .values()
                .next()
                .is_some_and(|first| first.number() == 0 && first.name().ends_with("_UNSPECIFIED"))
        },
    );
}

#[test]
fn what_is_secret_is_marked() {
    const SECRETS: [&str; 10] = [
        "password",
        "current_password",
        "new_password",
        "access_token",
        "refresh_token",
        "guest_access_token",
        "email",
        "token",
        "recipient",
        "postal_code",
    ];
    let pool = pool();
    let secret: Vec<FieldDescriptor> = fields(&pool)
        .into_iter()
        .filter(|field| SECRETS.contains(&field.name()))
        .filter(|field| field.name() != "recipient" || field.parent_message().name() == "PostalAddress")
        .collect();
    all_hold(
        &secret,
        |field| field.full_name().to_owned(),
        |field| option(&pool, &field.options(), "cartwright.policy.v1.sensitive").is_some(),
    );
}

#[test]
fn a_request_that_breaks_a_rule_names_the_field() {
    use contract::validate::Input;

    let request = contract::inventory::v1::ReserveStockRequest {
        order: String::new(),
        lines: vec![contract::inventory::v1::ReservationLine {
            sku: "A".into(),
            quantity: 0,
            location: String::new(),
        }],
        expire_time: None,
        request_id: "not a uuid".into(),
    };
    let violations = request.violations();
    let fields: Vec<&str> = violations.iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["order", "lines[0].quantity", "expire_time", "request_id"]);
}

#[test]
fn text_that_deceives_is_refused_everywhere() {
    use contract::validate::Input;

    for text in ["products/a/variants/\0", "products/a\u{202e}/variants", "\u{200b}", "\u{301}"] {
        let request = contract::cart::v1::AddItemRequest {
            cart: "carts/current".into(),
            variant: text.into(),
            quantity: 1,
            request_id: String::new(),
        };
        assert_eq!(request.violations().iter().next().map(|(field, _)| field), Some("variant"), "{text:?}");
    }
}

#[test]
fn an_unknown_enum_value_is_refused() {
    use contract::validate::Input;

    let request = contract::order::v1::ListOrdersRequest { state: 99, ..Default::default() };
    assert_eq!(request.violations().iter().next().map(|(field, _)| field), Some("state"));
}
