//! The codec of every method: protobuf that is checked against the contract's rules as it arrives.
//!
//! Checking here, and not in a handler, means that no server can forget it.

use std::collections::HashMap;
use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};
use tonic_types::{ErrorDetails, StatusExt};

use crate::validate::{Input, Violations};

/// Encodes `T` and decodes a checked `U`.
#[derive(Debug, Clone)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Codec(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Input + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CheckedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CheckedDecoder(ProstCodec::<T, U>::default().decoder())
    }
}

/// Decodes a message, then refuses it with `INVALID_ARGUMENT` where it breaks a rule.
#[derive(Debug)]
pub struct CheckedDecoder<U>(ProstDecoder<U>);

impl<U: Message + Default + Input> Decoder for CheckedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // What the decoder says is about its own insides, and is nobody's to read.
        let Some(message) = self.0.decode(buffer).map_err(|_| malformed())? else { return Ok(None) };
        let violations = message.violations();
        if violations.is_empty() { Ok(Some(message)) } else { Err(refusal(&violations)) }
    }
}

/// The refusal of bytes that are no message of the type.
fn malformed() -> Status {
    let words = "the message is not the protobuf that the method takes";
    let details = ErrorDetails::with_error_info("MALFORMED_MESSAGE", "cartwright", nothing());
    Status::with_error_details(tonic::Code::Internal, words, details)
}

fn nothing() -> HashMap<String, String> {
    HashMap::new()
}

/// The refusal that names each field at fault.
pub fn refusal(violations: &Violations) -> Status {
    let mut details = ErrorDetails::with_error_info("INVALID_FIELD", "cartwright", nothing());
    let mut names = Vec::new();
    for (field, description) in violations.iter() {
        details.add_bad_request_violation(field, description);
        names.push(format!("{field} {description}"));
    }
    let mut message = names.join("; ");
    if message.len() > 200 {
        let end = (0..=197).rev().find(|&end| message.is_char_boundary(end)).unwrap_or_default();
        message.truncate(end);
        message.push_str("...");
    }
    Status::with_error_details(tonic::Code::InvalidArgument, message, details)
}
