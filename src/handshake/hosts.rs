//! Which hosts a server answers for. Knows no route.

use super::{Rejection, Request, host::HostPort, rejection::brief};

/// The hosts that requests may ask for; a request for another one gets 421.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// Adds one, as `host` for any port or as `host:port`; gives it back when it is neither.
    pub(crate) fn add(&mut self, host: String) -> Result<(), String> {
        if HostPort::parse(&host).is_none() {
            return Err(host);
        }
        self.0.push(host);
        Ok(())
    }

    /// Judges a request. Without any host in the list every one is right.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Rejection> {
        let asked = HostPort::parse(request.host());
        // Clients leave the port away that is the connection's own.
        let own = if request.is_secure() { 443 } else { 80 };
        let is_known = |known: &String| {
            let known = HostPort::parse(known);
            known.zip(asked).is_some_and(|(known, asked)| {
                known.same_host(asked) && known.port.is_none_or(|port| asked.port.unwrap_or(own) == port)
            })
        };
        if self.0.is_empty() || self.0.iter().any(is_known) {
            return Ok(());
        }
        Err(Rejection::misdirected().comparing(format!(
            "Host {:?} with {:?}",
            String::from_utf8_lossy(brief(request.host().as_bytes())),
            self.0
        )))
    }
}
