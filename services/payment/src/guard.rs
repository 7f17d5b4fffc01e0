//! Keeps card numbers out: a request that carries one in any field is refused, and never logged.

use chassis::policy::POOL;
use chassis::status;
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, Value};
use tonic::Status;

use crate::domain::card;

/// Refuses a request of which any text looks like a card number. The refusal names the field and not its value.
pub(crate) fn no_card_numbers<M: Message + Name>(request: &M) -> Result<(), Status> {
    let Some(descriptor) = POOL.get_message_by_name(&M::full_name()) else { return Ok(()) };
    let Ok(message) = DynamicMessage::decode(descriptor, request.encode_to_vec().as_slice()) else {
        return Ok(());
    };
    match field_with_number(&message) {
        Some(field) => Err(status::invalid(&field, "must not hold a card number; send the channel's token")),
        None => Ok(()),
    }
}

fn field_with_number(message: &DynamicMessage) -> Option<String> {
    message.fields().find_map(|(field, value)| holds(value).then(|| field.name().to_owned()))
}

fn holds(value: &Value) -> bool {
    match value {
        Value::String(text) => card::holds_number(text),
        Value::Bytes(bytes) => card::holds_number(&String::from_utf8_lossy(bytes)),
        Value::Message(message) => field_with_number(message).is_some(),
        Value::List(values) => values.iter().any(holds),
        Value::Map(values) => values.values().any(holds),
        Value::Bool(_)
        | Value::I32(_)
        | Value::I64(_)
        | Value::U32(_)
        | Value::U64(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::EnumNumber(_) => false,
    }
}
