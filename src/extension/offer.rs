//! The grammar of `Sec-WebSocket-Extensions`. Knows neither what an extension does nor how a head is read.

use std::{fmt, str::FromStr};

/// One extension in a `Sec-WebSocket-Extensions` header: a name and its parameters, in order (RFC 6455 §9.1).
///
/// A client offers several, a server answers with those it takes; both are written alike. Names,
/// parameter names and values are tokens, always: a value that doesn't follow the grammar can't be built.
/// At most [`MAX_PARAMS`](Self::MAX_PARAMS) parameters; duplicates are kept, since only the extension
/// knows whether they are legal.
///
/// ```
/// use converse::extension::ExtensionOffer;
///
/// let offer: ExtensionOffer = "permessage-deflate; client_max_window_bits; x=\"1\"".parse()?;
/// assert_eq!(offer.name(), "permessage-deflate");
/// assert!(offer.has_param("client_max_window_bits"));
/// assert_eq!(offer.value("x"), Some("1"));
/// assert_eq!(offer.to_string(), "permessage-deflate; client_max_window_bits; x=1");
/// # Ok::<(), converse::extension::ExtensionGrammarError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExtensionOffer {
    name: String,
    params: Vec<(String, Option<String>)>,
}

/// A `Sec-WebSocket-Extensions` header, or a part of one, does not follow RFC 6455 §9.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {at} of Sec-WebSocket-Extensions line {line} (RFC 6455 §9.1)")]
pub struct ExtensionGrammarError {
    /// Which of the header's lines, counted from 1.
    pub line: usize,
    /// The offset of the offending byte in that line's value, counted from 0.
    pub at: usize,
    /// What is wrong there.
    pub fault: ExtensionGrammarFault,
}

/// What is wrong with a `Sec-WebSocket-Extensions` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionGrammarFault {
    /// A name or value is missing, or holds a byte that no token may hold.
    #[error("a token is expected")]
    ExpectedToken,
    /// Something other than `;`, `,` or the end follows a complete part.
    #[error("`;`, `,` or the end is expected")]
    ExpectedSeparator,
    /// A quoted string does not end.
    #[error("a quoted string is not closed")]
    UnclosedQuote,
    /// A quoted value is not a token once it is unescaped.
    #[error("a quoted value is not a token")]
    QuotedValueNotToken,
    /// More than [`ExtensionOffer::MAX_OFFERS`] offers.
    #[error("there are more than 16 offers")]
    TooManyOffers,
    /// More than [`ExtensionOffer::MAX_PARAMS`] parameters in one offer.
    #[error("an offer has more than 16 parameters")]
    TooManyParams,
}

impl ExtensionOffer {
    /// The most offers that one message may carry. Chosen: browsers send one.
    pub const MAX_OFFERS: usize = 16;
    /// The most parameters that one offer may have. Chosen: permessage-deflate knows four.
    pub const MAX_PARAMS: usize = 16;

    /// Builds an offer without parameters.
    ///
    /// # Errors
    /// The name is not a token.
    pub fn new(name: impl Into<String>) -> Result<Self, ExtensionGrammarError> {
        Ok(Self { name: token(name.into())?, params: Vec::new() })
    }

    /// Builds an offer without parameters from a name in the program's text.
    ///
    /// # Panics
    /// The name is not a token.
    #[must_use]
    pub fn from_static(name: &'static str) -> Self {
        assert!(is_token(name), "an extension's name must be a token: {name:?}");
        Self { name: name.to_owned(), params: Vec::new() }
    }

    /// Adds a parameter without a value, named in the program's text.
    ///
    /// # Panics
    /// The name is not a token, or there are [`MAX_PARAMS`](Self::MAX_PARAMS) parameters already.
    #[must_use]
    pub fn flag(self, name: &'static str) -> Self {
        self.push_static(name, None)
    }

    /// Adds a parameter with a number for its value, named in the program's text.
    ///
    /// # Panics
    /// The name is not a token, or there are [`MAX_PARAMS`](Self::MAX_PARAMS) parameters already.
    #[must_use]
    pub fn number(self, name: &'static str, value: u64) -> Self {
        self.push_static(name, Some(value.to_string()))
    }

    /// Adds a parameter that is known only when the program runs.
    ///
    /// # Errors
    /// The name or the value is not a token, or there are [`MAX_PARAMS`](Self::MAX_PARAMS) parameters already.
    pub fn param(
        mut self,
        name: impl Into<String>,
        value: Option<impl Into<String>>,
    ) -> Result<Self, ExtensionGrammarError> {
        let name = token(name.into())?;
        let value = value.map(|value| token(value.into())).transpose()?;
        if self.params.len() == Self::MAX_PARAMS {
            return Err(ExtensionGrammarError {
                line: 1,
                at: 0,
                fault: ExtensionGrammarFault::TooManyParams,
            });
        }
        self.params.push((name, value));
        Ok(self)
    }

    /// Returns the extension's name. Names are compared byte by byte.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Walks the parameters in the order in which they were written, duplicates included.
    pub fn params(&self) -> impl ExactSizeIterator<Item = (&str, Option<&str>)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Tells whether there is a parameter of this name, with or without a value.
    pub fn has_param(&self, name: &str) -> bool {
        self.params.iter().any(|(known, _)| known == name)
    }

    /// Returns the value of the first parameter of this name, if it has one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name)?.1.as_deref()
    }

    /// Reads the values of all `Sec-WebSocket-Extensions` lines of a head, in order.
    ///
    /// Lines count as one list; empty list elements are passed over (RFC 7230 §7), so that a header
    /// emptied by a proxy is an empty list.
    ///
    /// # Errors
    /// A line does not follow the grammar, or a bound is exceeded. RFC 6455 §9.1 wants the connection failed then.
    pub fn parse_lines<'a>(
        lines: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Self>, ExtensionGrammarError> {
        let mut offers = Vec::new();
        for (index, bytes) in lines.into_iter().enumerate() {
            Scanner { line: index + 1, bytes, at: 0 }.list(&mut offers)?;
        }
        Ok(offers)
    }

    /// Writes a list the way one header line holds it.
    pub fn join(offers: &[Self]) -> String {
        let texts: Vec<String> = offers.iter().map(Self::to_string).collect();
        texts.join(", ")
    }

    fn push_static(mut self, name: &'static str, value: Option<String>) -> Self {
        assert!(is_token(name), "a parameter's name must be a token: {name:?}");
        assert!(self.params.len() < Self::MAX_PARAMS, "an offer has at most 16 parameters");
        self.params.push((name.to_owned(), value));
        self
    }
}

impl FromStr for ExtensionOffer {
    type Err = ExtensionGrammarError;

    /// Reads exactly one offer.
    fn from_str(text: &str) -> Result<Self, ExtensionGrammarError> {
        let mut scanner = Scanner { line: 1, bytes: text.as_bytes(), at: 0 };
        scanner.skip_spaces();
        let offer = scanner.offer()?;
        if scanner.peek().is_some() {
            return Err(scanner.fault(ExtensionGrammarFault::ExpectedSeparator));
        }
        Ok(offer)
    }
}

impl fmt::Display for ExtensionOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in &self.params {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// Tells whether a text is a token: one or more visible ASCII characters without separators (RFC 7230 §3.2.6).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn token(text: String) -> Result<String, ExtensionGrammarError> {
    match text.bytes().position(|byte| !is_token_byte(byte)) {
        None if !text.is_empty() => Ok(text),
        at => Err(ExtensionGrammarError {
            line: 1,
            at: at.unwrap_or(0),
            fault: ExtensionGrammarFault::ExpectedToken,
        }),
    }
}

/// Walks one header line's value.
struct Scanner<'a> {
    line: usize,
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn list(&mut self, offers: &mut Vec<ExtensionOffer>) -> Result<(), ExtensionGrammarError> {
        loop {
            self.skip_spaces();
            match self.peek() {
                None => return Ok(()),
                Some(b',') => self.at += 1,
                Some(_) => {
                    let start = self.at;
                    let offer = self.offer()?;
                    if offers.len() == ExtensionOffer::MAX_OFFERS {
                        self.at = start;
                        return Err(self.fault(ExtensionGrammarFault::TooManyOffers));
                    }
                    offers.push(offer);
                    if !matches!(self.peek(), None | Some(b',')) {
                        return Err(self.fault(ExtensionGrammarFault::ExpectedSeparator));
                    }
                }
            }
        }
    }

    /// Reads one offer and the spaces behind it.
    fn offer(&mut self) -> Result<ExtensionOffer, ExtensionGrammarError> {
        let mut offer = ExtensionOffer { name: self.token()?, params: Vec::new() };
        loop {
            self.skip_spaces();
            if !self.take(b';') {
                return Ok(offer);
            }
            self.skip_spaces();
            if offer.params.len() == ExtensionOffer::MAX_PARAMS {
                return Err(self.fault(ExtensionGrammarFault::TooManyParams));
            }
            offer.params.push(self.param()?);
        }
    }

    fn param(&mut self) -> Result<(String, Option<String>), ExtensionGrammarError> {
        let name = self.token()?;
        self.skip_spaces();
        if !self.take(b'=') {
            return Ok((name, None));
        }
        self.skip_spaces();
        let value = if self.take(b'"') { self.quoted()? } else { self.token()? };
        Ok((name, Some(value)))
    }

    fn token(&mut self) -> Result<String, ExtensionGrammarError> {
        let start = self.at;
        while self.peek().is_some_and(is_token_byte) {
            self.at += 1;
        }
        if start == self.at {
            return Err(self.fault(ExtensionGrammarFault::ExpectedToken));
        }
        Ok(self.bytes[start..self.at].iter().copied().map(char::from).collect())
    }

    /// Reads on behind the opening quote. RFC 6455 §9.1: the unescaped value MUST be a token.
    fn quoted(&mut self) -> Result<String, ExtensionGrammarError> {
        let mut value = String::new();
        loop {
            let byte = match self.peek() {
                Some(b'"') if value.is_empty() => {
                    return Err(self.fault(ExtensionGrammarFault::QuotedValueNotToken));
                }
                Some(b'"') => {
                    self.at += 1;
                    return Ok(value);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.peek()
                }
                other => other,
            };
            match byte {
                None => return Err(self.fault(ExtensionGrammarFault::UnclosedQuote)),
                Some(byte) if is_token_byte(byte) => value.push(char::from(byte)),
                Some(_) => return Err(self.fault(ExtensionGrammarFault::QuotedValueNotToken)),
            }
            self.at += 1;
        }
    }

    fn skip_spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fault(&self, fault: ExtensionGrammarFault) -> ExtensionGrammarError {
        ExtensionGrammarError { line: self.line, at: self.at, fault }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(lines: &[&str]) -> Result<Vec<ExtensionOffer>, ExtensionGrammarError> {
        ExtensionOffer::parse_lines(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn well_formed_headers_are_read_and_written_back() {
        let table: &[(&[&str], &str)] = &[
            (&[], ""),
            (&[""], ""),
            (&[" , ,\t,"], ""),
            (&["foo"], "foo"),
            (&["foo;bar;baz=1"], "foo; bar; baz=1"),
            (&["foo , bar"], "foo, bar"),
            (&["foo", "bar; x", "", "foo"], "foo, bar; x, foo"),
            (&[",foo,,bar,"], "foo, bar"),
            (&["\tfoo\t;\ta = 1 ; b\t"], "foo; a=1; b"),
            (&["foo; a=\"1\\5\"; b = \"x\""], "foo; a=15; b=x"),
            (&["foo; a; a=1; a"], "foo; a; a=1; a"),
            (
                &["x-webkit-deflate-frame, permessage-deflate; client_max_window_bits"],
                "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
            ),
        ];
        for (lines, written) in table {
            let offers = parse(lines).unwrap_or_else(|error| panic!("{lines:?}: {error}"));
            assert_eq!(ExtensionOffer::join(&offers), *written, "{lines:?}");
        }
    }

    #[test]
    fn bad_grammar_is_refused_at_its_place() {
        use ExtensionGrammarFault::*;
        let table: &[(&[&str], usize, usize, ExtensionGrammarFault)] = &[
            (&["foo bar"], 1, 4, ExpectedSeparator),
            (&["foo;"], 1, 4, ExpectedToken),
            (&["foo;;bar"], 1, 4, ExpectedToken),
            (&["foo;,bar"], 1, 4, ExpectedToken),
            (&[";foo"], 1, 0, ExpectedToken),
            (&["foo; a="], 1, 7, ExpectedToken),
            (&["foo; =1"], 1, 5, ExpectedToken),
            (&["foo; a=1 2"], 1, 9, ExpectedSeparator),
            (&["foo; a=\"1"], 1, 9, UnclosedQuote),
            (&["foo; a=\"1\\"], 1, 10, UnclosedQuote),
            (&["foo; a=\"\""], 1, 8, QuotedValueNotToken),
            (&["foo; a=\"b c\""], 1, 9, QuotedValueNotToken),
            (&["foo; a=\"b\\\"\""], 1, 10, QuotedValueNotToken),
            (&["foo; a=\"1\"2"], 1, 10, ExpectedSeparator),
            (&["foo", "b\u{e4}r"], 2, 1, ExpectedSeparator),
            (&["foo\0"], 1, 3, ExpectedSeparator),
            (&["\"foo\""], 1, 0, ExpectedToken),
        ];
        for (lines, line, at, fault) in table {
            let expected = ExtensionGrammarError { line: *line, at: *at, fault: *fault };
            assert_eq!(parse(lines), Err(expected), "{lines:?}");
        }
    }

    #[test]
    fn sixteen_offers_and_sixteen_params_are_the_bound() {
        let offers = vec!["a"; 16].join(",");
        assert_eq!(parse(&[&offers]).map(|offers| offers.len()), Ok(16));
        let fault = parse(&[&offers, "b"]).map_err(|error| (error.line, error.fault));
        assert_eq!(fault, Err((2, ExtensionGrammarFault::TooManyOffers)));
        let params = format!("a{}", "; b".repeat(16));
        assert_eq!(parse(&[&params]).map(|offers| offers[0].params().len()), Ok(16));
        let fault = parse(&[&format!("{params}; b")]).map_err(|error| error.fault);
        assert_eq!(fault, Err(ExtensionGrammarFault::TooManyParams));
        let full: ExtensionOffer = params.parse().unwrap();
        assert_eq!(full.param("c", None::<&str>).unwrap_err().fault, ExtensionGrammarFault::TooManyParams);
    }

    #[test]
    fn offers_are_built_from_tokens_only() {
        let offer = ExtensionOffer::from_static("permessage-deflate").flag("a").number("b", 15);
        assert_eq!(offer.to_string(), "permessage-deflate; a; b=15");
        assert_eq!((offer.value("a"), offer.value("b"), offer.value("c")), (None, Some("15"), None));
        assert_eq!(ExtensionOffer::new("a b").unwrap_err().at, 1);
        assert_eq!(ExtensionOffer::new("").unwrap_err().at, 0);
        assert!(offer.clone().param("x", Some("1\r\nEvil: 1")).is_err());
        assert_eq!("a, b".parse::<ExtensionOffer>().unwrap_err().at, 1);
    }

    proptest! {
        #[test]
        fn any_offers_survive_the_round_trip(
            offers in prop::collection::vec(
                ("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}", prop::collection::vec(
                    ("[0-9A-Za-z_-]{1,6}", prop::option::of("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,6}")), 0..=16)),
                0..=16)
        ) {
            let offers: Vec<_> =
                offers.into_iter().map(|(name, params)| ExtensionOffer { name, params }).collect();
            let line = ExtensionOffer::join(&offers);
            prop_assert_eq!(ExtensionOffer::parse_lines([line.as_bytes()]), Ok(offers));
        }

        #[test]
        fn arbitrary_bytes_never_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4)) {
            let _ = ExtensionOffer::parse_lines(lines.iter().map(Vec::as_slice));
        }

        #[test]
        fn bytes_of_the_grammar_never_panic(line in "[a ,;=\"\\\\\t]{0,60}") {
            if let Ok(offers) = ExtensionOffer::parse_lines([line.as_bytes()]) {
                let again = ExtensionOffer::join(&offers);
                prop_assert_eq!(ExtensionOffer::parse_lines([again.as_bytes()]), Ok(offers));
            }
        }
    }
}
