//! Reads the `buf.validate` rules of a field.

use prost_reflect::Value;

/// A `FieldRules` message or a part of it, possibly absent.
pub(crate) struct Rules(pub(crate) Option<prost_reflect::DynamicMessage>);

impl Rules {
    pub(crate) fn message(&self, name: &str) -> Option<prost_reflect::DynamicMessage> {
        let rules = self.0.as_ref()?;
        rules.has_field_by_name(name).then(|| rules.get_field_by_name(name)?.as_message().cloned()).flatten()
    }

    pub(crate) fn within(&self, name: &str) -> Rules {
        Rules(self.message(name))
    }

    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        let rules = self.0.as_ref()?;
        rules
            .has_field_by_name(name)
            .then(|| rules.get_field_by_name(name).map(|value| value.into_owned()))
            .flatten()
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        let value = self.value(name)?;
        value
            .as_i64()
            .or(value.as_i32().map(i64::from))
            .or(value.as_u64().and_then(|value| value.try_into().ok()))
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.value(name).and_then(|value| value.as_bool()) == Some(true)
    }

    pub(crate) fn ignores_always(&self) -> bool {
        self.value("ignore").and_then(|value| value.as_enum_number()) == Some(3)
    }

    pub(crate) fn ignores_zero(&self) -> bool {
        self.value("ignore").and_then(|value| value.as_enum_number()) == Some(1)
    }
}
