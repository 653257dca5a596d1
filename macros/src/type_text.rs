//! How a type reads in a description: as people write it, on one line. Knows no service.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Spells a type as people write it: `Vec<(u8, String)>`, where its tokens say `Vec < (u8 , String) >`.
pub(crate) fn type_text(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    write(tokens.to_token_stream(), &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    let mut after_word = false;
    let mut joint = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_word = matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_));
        if is_word && after_word {
            text.push(' ');
        }
        match token {
            TokenTree::Punct(punct) => {
                let arrow_ends = joint && punct.as_char() == '>';
                if punct.as_char() == ',' && tokens.peek().is_none() {
                    text.push(',');
                    continue;
                }
                write_punct(punct.as_char(), punct.spacing() == Spacing::Joint, arrow_ends, text);
                joint = punct.spacing() == Spacing::Joint && punct.as_char() == '-';
            }
            TokenTree::Group(group) => {
                let (open, close) = delimiters(group.delimiter());
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
            }
            word => text.push_str(&word.to_string()),
        }
        after_word = is_word;
    }
}

fn write_punct(punct: char, is_joint: bool, arrow_ends: bool, text: &mut String) {
    match punct {
        ',' | ';' => text.extend([punct, ' ']),
        '+' | '=' => text.extend([' ', punct, ' ']),
        '-' if is_joint => text.push_str(" -"),
        '>' if arrow_ends => text.push_str("> "),
        _ => text.push(punct),
    }
}

fn delimiters(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::None => ("", ""),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_type_reads_as_it_is_written() {
        let types = [
            "u64",
            "Vec<(u8, String)>",
            "std::collections::HashMap<String, Option<Vec<u8>>>",
            "[u8; 16]",
            "()",
            "(u8,)",
            "Box<dyn Fn(u8) -> u8 + Send>",
            "Cow<'static, str>",
            "<A as Into<B>>::C",
        ];
        for text in types {
            assert_eq!(type_text(text.parse::<TokenStream>().unwrap()), text);
        }
    }
}
