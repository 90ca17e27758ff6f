//! Replies and statuses as text.

use tonic::Code;
use tonic_types::ErrorDetails;

use crate::details::code_name;
use crate::pb::Value;
use crate::pb::value::Kind;

/// A reply of any type as text. A string reply of a command given as args is bytes, whatever it
/// holds; only the program knows that these are text.
pub fn show(value: &Value) -> String {
    match &value.kind {
        Some(Kind::NullValue(_)) => "null".into(),
        Some(Kind::StringValue(s)) | Some(Kind::BigNumberValue(s)) => s.clone(),
        Some(Kind::BytesValue(bytes)) => String::from_utf8_lossy(bytes).into(),
        Some(Kind::IntegerValue(n)) => n.to_string(),
        Some(Kind::DoubleValue(x)) => x.to_string(),
        Some(Kind::BooleanValue(b)) => b.to_string(),
        Some(Kind::VerbatimValue(v)) => String::from_utf8_lossy(&v.data).into(),
        Some(Kind::ArrayValue(array)) => format!("[{}]", show_all(&array.elements)),
        Some(Kind::SetValue(set)) => format!("{{{}}}", show_all(&set.members)),
        Some(Kind::MapValue(map)) => {
            // A list of entries and no HashMap: keys may be of any type.
            let side = |v: &Option<Value>| v.as_ref().map(show).unwrap_or_default();
            let entries = map
                .entries
                .iter()
                .map(|e| format!("{}: {}", side(&e.key), side(&e.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Some(Kind::ErrorValue(e)) => e.message.clone(),
        None => "?".into(), // a kind that a newer server knows
    }
}

pub fn show_all(values: &[Value]) -> String {
    values.iter().map(show).collect::<Vec<_>>().join(", ")
}

/// A status's code, the service's reason and the fields that are wrong.
pub fn show_status(code: Code, details: &ErrorDetails) -> String {
    let mut text = code_name(code).to_string();
    if let Some(info) = details.error_info() {
        text += &format!(", {}", info.reason);
    }
    if let Some(bad) = details.bad_request() {
        for violation in &bad.field_violations {
            text += &format!(": {}", violation.field);
        }
    }
    text
}
