//! The codes of failures as they travel. Knows no frame.

use crate::rpc::Code;

/// How a code is written in JSON: the numbers of JSON-RPC 2.0 where it has one, -32000 less gRPC's number for the
/// others, and an application's own as it is.
pub(super) fn to_json(code: Code) -> i64 {
    match code {
        Code::INVALID_ARGUMENT => INVALID_PARAMS,
        Code::UNIMPLEMENTED => METHOD_NOT_FOUND,
        Code::INTERNAL => INTERNAL_ERROR,
        code if code.is_application() => code.number().into(),
        code => SERVER_ERROR - i64::from(code.number()),
    }
}

pub(super) fn from_json(number: i64) -> Code {
    match number {
        PARSE_ERROR | INVALID_REQUEST | INVALID_PARAMS => Code::INVALID_ARGUMENT,
        METHOD_NOT_FOUND => Code::UNIMPLEMENTED,
        INTERNAL_ERROR => Code::INTERNAL,
        LAST_SERVER_ERROR..=SERVER_ERROR => from_compact(SERVER_ERROR - number),
        number => from_compact(number),
    }
}

/// Reads a plain number. What is no number of a failure, such as that of success, is [`Code::UNKNOWN`].
pub(super) fn from_compact(number: i64) -> Code {
    match i32::try_from(number).map(Code::new) {
        Ok(Code::OK) | Err(_) => Code::UNKNOWN,
        Ok(code) => code,
    }
}

pub(super) const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const INVALID_PARAMS: i64 = -32602;
const INTERNAL_ERROR: i64 = -32603;
const SERVER_ERROR: i64 = -32000;
const LAST_SERVER_ERROR: i64 = SERVER_ERROR - 16;
pub(super) const RESOURCE_EXHAUSTED: i64 = SERVER_ERROR - Code::RESOURCE_EXHAUSTED.number() as i64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_as_they_went() {
        for number in (1..=17).chain([100, i32::MAX]) {
            let code = Code::new(number);
            assert_eq!(from_json(to_json(code)), code);
            assert_eq!(from_compact(number.into()), code);
        }
        let written = [Code::CANCELLED, Code::UNAUTHENTICATED, Code::INVALID_ARGUMENT, Code::new(77)];
        assert_eq!(written.map(to_json), [-32001, -32016, -32602, 77]);
    }

    #[test]
    fn foreign_codes_are_read() {
        let read = [-32700, -32600, -32601, -32603, 7, -1, -32017, -32099, 0, -32000, i64::MAX, i64::MIN];
        let unknown = Code::UNKNOWN;
        let expected = [
            Code::INVALID_ARGUMENT,
            Code::INVALID_ARGUMENT,
            Code::UNIMPLEMENTED,
            Code::INTERNAL,
            Code::PERMISSION_DENIED,
        ];
        assert_eq!(read.map(from_json)[..5], expected);
        assert_eq!(read.map(from_json)[5..], [unknown; 7]);
        assert_eq!([0, -3, 1 << 40].map(from_compact), [unknown; 3]);
    }
}
