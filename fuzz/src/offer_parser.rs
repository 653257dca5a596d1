//! Header lines of anybody, through the grammar and the negotiation: what is agreed on is what RFC 7692 allows.

use arbitrary::{Arbitrary, Result, Unstructured};
use converse::{
    PerMessageDeflate,
    extension::{Extension, ExtensionError, ExtensionOffer},
};

use crate::{
    rfc7692::Terms,
    settings::{Settings, parameters},
};

#[derive(Debug)]
pub struct Case {
    settings: Settings,
    /// A well-formed offer or answer beside those of the lines.
    also: ExtensionOffer,
    lines: Vec<Vec<u8>>,
}

impl Case {
    /// Plays the case.
    pub fn check(&self) {
        let deflate = self.settings.build();
        let client_offers = deflate.offers();
        for offer in &client_offers {
            self.check_accept(&deflate, offer);
            if let Some(accepted) = deflate.accept(offer) {
                deflate.confirm(accepted.answer()).expect("an answer to one's own offer");
            }
        }
        let mut offers = self.parse().unwrap_or_default();
        offers.push(self.also.clone());
        for offer in &offers {
            self.check_accept(&deflate, offer);
            check_confirm(&deflate, &client_offers, offer);
        }
    }

    /// Reads the lines, and checks that they mean the same when they are written otherwise.
    fn parse(&self) -> Option<Vec<ExtensionOffer>> {
        let offers = match ExtensionOffer::parse_lines(self.lines.iter().map(Vec::as_slice)) {
            Ok(offers) => offers,
            Err(error) => {
                let line = &self.lines[error.line - 1];
                assert!(error.at <= line.len(), "{error} is outside of the line");
                return None;
            }
        };
        let written = ExtensionOffer::join(&offers);
        assert_eq!(ExtensionOffer::parse_lines([written.as_bytes()]).as_ref(), Ok(&offers));
        let joined = self.lines.join(&b',');
        assert_eq!(ExtensionOffer::parse_lines([joined.as_slice()]).as_ref(), Ok(&offers));
        for offer in &offers {
            assert_eq!(offer.to_string().parse().as_ref(), Ok(offer));
        }
        Some(offers)
    }

    fn check_accept(&self, deflate: &PerMessageDeflate, offer: &ExtensionOffer) {
        let answer = deflate.accept(offer).map(|accepted| accepted.answer().clone());
        let Some(offered) = Terms::offered(offer) else {
            return assert_eq!(answer, None, "a malformed offer was accepted");
        };
        // A window of 256 bytes is the one that zlib cannot keep to.
        assert_eq!(answer.is_none(), offered.server_bits == Some(8), "{offer}");
        let Some(answer) = answer else { return };
        let agreed = Terms::answered(&answer).expect("an answer that the RFC knows");
        assert!(offered.allows(&agreed), "{answer} does not answer {offer}");
        assert!(agreed.server_no_takeover || !self.settings.server_no_takeover, "{answer}");
        assert!(agreed.client_no_takeover || !self.settings.client_no_takeover, "{answer}");
        if self.settings.server_bits >= 9 {
            assert!(agreed.server_sends().0 <= self.settings.server_bits, "{answer}");
        }
        if (9..15).contains(&self.settings.client_bits) && agreed.client_sends().1 {
            assert!(agreed.client_sends().0 <= self.settings.client_bits, "{answer}");
        }
    }
}

/// A client takes the answers that fit one of its offers, and no others.
fn check_confirm(deflate: &PerMessageDeflate, offers: &[ExtensionOffer], answer: &ExtensionOffer) {
    let confirmed = match deflate.confirm(answer) {
        Ok(_) => true,
        Err(ExtensionError::BadAnswer { .. }) => false,
        Err(other) => panic!("{other} is not about the answer"),
    };
    let offered = offers.iter().map(|offer| Terms::offered(offer).expect("an offer that the RFC knows"));
    let fits = Terms::answered(answer)
        .is_some_and(|answered| offered.into_iter().any(|offered| offered.allows(&answered)));
    assert_eq!(confirmed, fits, "{answer}");
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (settings, also) = (u.arbitrary()?, parameters(u)?);
        let lines = u.bytes(u.len())?.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        Ok(Self { settings, also, lines })
    }
}
