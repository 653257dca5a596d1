//! Keeps what errors say short, whatever they quote. Knows no values.

use std::fmt::{self, Display, Write};

/// The bytes of an error's text that are kept.
const MAX_TEXT: usize = 1_024;

/// What stands at the end of a text that was cut.
pub(crate) const CUT: &str = "…";

/// What is displayed, up to [`MAX_TEXT`] bytes.
pub(crate) struct Brief<T>(pub(crate) T);

impl<T: Display> Display for Brief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cut = Cut { out: f, left: MAX_TEXT, is_full: false };
        match write!(cut, "{}", self.0) {
            Err(_) if cut.is_full => cut.out.write_str(CUT),
            written => written,
        }
    }
}

/// Fails as soon as more is written than is left, so that nothing more is made.
struct Cut<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    left: usize,
    is_full: bool,
}

impl Write for Cut<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(left) = self.left.checked_sub(text.len()) {
            self.left = left;
            return self.out.write_str(text);
        }
        self.is_full = true;
        let end = (0..=self.left).rfind(|&end| text.is_char_boundary(end)).unwrap_or_default();
        self.out.write_str(text.get(..end).unwrap_or_default())?;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_stay_as_they_are() {
        assert_eq!(Brief("é".repeat(512)).to_string(), "é".repeat(512));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(Brief("é".repeat(513)).to_string(), format!("{}…", "é".repeat(512)));
        assert_eq!(Brief(format!("x{}", "é".repeat(512))).to_string(), format!("x{}…", "é".repeat(511)));
    }
}
