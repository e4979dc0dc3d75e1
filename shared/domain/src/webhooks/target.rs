//! Where events are sent to.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::is_public;

/// How long an address may be.
const URL_CHARACTERS_MAX: usize = 500;

/// What a deployment may reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// The public Internet, encrypted.
    #[default]
    Public,
    /// This machine as well, where it need not be encrypted: for trying things out.
    ThisMachine,
}

impl std::str::FromStr for Reach {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "public" => Ok(Self::Public),
            "this-machine" => Ok(Self::ThisMachine),
            _ => Err(()),
        }
    }
}

impl Reach {
    /// Returns whether an address that a name resolved to may be connected to.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        is_public(address) || (self == Self::ThisMachine && address.to_canonical().is_loopback())
    }
}

/// An address that events can be sent to, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether what is sent is encrypted.
    pub is_encrypted: bool,
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// By its name.
    Name(String),
    /// By its address.
    Address(IpAddr),
}

impl Target {
    /// Returns the parts of an address that this deployment may send to.
    ///
    /// A name is not resolved here; what it resolves to is checked again whenever it is connected to.
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`] says what the address must be.
    pub fn parse(url: &str, reach: Reach) -> Result<Self, InvalidTarget> {
        let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#\"<>^`{|}".contains(&byte));
        if !is_plain || url.len() > URL_CHARACTERS_MAX {
            return Err(InvalidTarget::NotPlain);
        }
        let (scheme, rest) = url.split_once("://").ok_or(InvalidTarget::NotEncrypted)?;
        let (is_encrypted, default_port) = match scheme {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return Err(InvalidTarget::NotEncrypted),
        };
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        let (host, port) = host_and_port(authority)?;
        let target = Self {
            is_encrypted,
            host,
            port: port.unwrap_or(default_port),
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        };
        target.check(reach)?;
        Ok(target)
    }

    fn check(&self, reach: Reach) -> Result<(), InvalidTarget> {
        let (is_allowed, is_here) = match &self.host {
            Host::Address(address) => (reach.allows(*address), address.to_canonical().is_loopback()),
            Host::Name(name) => {
                let is_here = name == "localhost" || name.ends_with(".localhost");
                (!is_here || reach == Reach::ThisMachine, is_here)
            }
        };
        if !is_allowed {
            return Err(InvalidTarget::NotPublic);
        }
        if self.is_encrypted || is_here { Ok(()) } else { Err(InvalidTarget::NotEncrypted) }
    }

    /// Returns host and port as the header `host` has them.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        };
        match (self.is_encrypted, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

fn host_and_port(authority: &str) -> Result<(Host, Option<u16>), InvalidTarget> {
    if authority.contains('@') {
        return Err(InvalidTarget::Credentials);
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(InvalidTarget::NoHost)?;
        let address: Ipv6Addr = address.parse().map_err(|_| InvalidTarget::NoHost)?;
        return Ok((Host::Address(address.into()), port(rest)?));
    }
    let (host, rest) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    let host = host.to_ascii_lowercase();
    let last_label = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    // Resolvers take numbers in many forms for addresses; only the plain one is taken here.
    if last_label.starts_with(|first: char| first.is_ascii_digit()) {
        let address: Ipv4Addr = host.parse().map_err(|_| InvalidTarget::NoHost)?;
        return Ok((Host::Address(address.into()), port(rest)?));
    }
    let is_label = |label: &str| {
        let is_good = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (1..=63).contains(&label.len()) && is_good
    };
    if host.len() <= 253 && host.split('.').all(is_label) {
        Ok((Host::Name(host), port(rest)?))
    } else {
        Err(InvalidTarget::NoHost)
    }
}

fn port(text: &str) -> Result<Option<u16>, InvalidTarget> {
    let Some(digits) = text.strip_prefix(':') else {
        return if text.is_empty() { Ok(None) } else { Err(InvalidTarget::NoHost) };
    };
    let port = digits.parse::<u16>().ok().filter(|port| *port > 0 && !digits.starts_with('+'));
    port.map(Some).ok_or(InvalidTarget::NoHost)
}

/// An address that events are not sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// It has characters that must be encoded, or is too long.
    #[error("`url` must be an address of at most {URL_CHARACTERS_MAX} plain characters, without a fragment")]
    NotPlain,
    /// It is not https.
    #[error("`url` must begin with https://")]
    NotEncrypted,
    /// It has a user's name or a password.
    #[error("`url` must have no user's name and no password: check the signature instead")]
    Credentials,
    /// Its host or port cannot be read.
    #[error("`url` must name a host, such as hooks.example.com")]
    NoHost,
    /// It is of this machine or of a private network.
    #[error("`url` must be of the public Internet: not of this machine, a private or a link-local network")]
    NotPublic,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(url: &str) -> Result<Target, InvalidTarget> {
        Target::parse(url, Reach::Public)
    }

    #[test]
    fn an_address_is_taken_apart() {
        let target = public("https://Hooks.example.com:8443/in?a=b").expect("an address");
        assert_eq!(target.host, Host::Name("hooks.example.com".to_owned()));
        assert_eq!((target.port, target.path.as_str()), (8443, "/in?a=b"));
        assert_eq!(target.authority(), "hooks.example.com:8443");
        let target = public("https://[2606:4700::1111]").expect("an address");
        assert_eq!((target.authority().as_str(), target.path.as_str()), ("[2606:4700::1111]", "/"));
        assert_eq!(public("https://a.example?x=1").expect("an address").path, "/?x=1");
    }

    #[test]
    fn addresses_of_private_networks_are_refused_however_they_are_written() {
        for url in [
            "https://127.0.0.1/",
            "https://localhost/",
            "https://a.localhost/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fe80::1]/",
            "https://192.168.1.1:8443/",
            "https://0.0.0.0/",
        ] {
            assert_eq!(public(url), Err(InvalidTarget::NotPublic), "{url}");
        }
        for url in ["https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://127.0.0.1./"] {
            assert_eq!(public(url), Err(InvalidTarget::NoHost), "{url}");
        }
    }

    #[test]
    fn what_is_no_plain_https_address_is_refused() {
        for (url, fault) in [
            ("http://hooks.example.com/", InvalidTarget::NotEncrypted),
            ("ftp://hooks.example.com/", InvalidTarget::NotEncrypted),
            ("hooks.example.com", InvalidTarget::NotEncrypted),
            ("https://", InvalidTarget::NoHost),
            ("https:///path", InvalidTarget::NoHost),
            ("https://a..example/", InvalidTarget::NoHost),
            ("https://a.example:0/", InvalidTarget::NoHost),
            ("https://a.example:99999/", InvalidTarget::NoHost),
            ("https://a.example:443x/", InvalidTarget::NoHost),
            ("https://[::1/", InvalidTarget::NoHost),
            ("https://user:password@a.example/", InvalidTarget::Credentials),
            ("https://a.example/#here", InvalidTarget::NotPlain),
            ("https://a.example/ x", InvalidTarget::NotPlain),
            ("https://a.example\\@127.0.0.1/", InvalidTarget::NotPlain),
            ("https://a.example/\r\nx: y", InvalidTarget::NotPlain),
        ] {
            assert_eq!(public(url), Err(fault), "{url}");
        }
    }

    #[test]
    fn a_local_stack_may_send_to_this_machine_and_to_no_other_in_plain_text() {
        let local = |url| Target::parse(url, Reach::ThisMachine);
        assert!(local("http://127.0.0.1:9000/in").is_ok());
        assert!(local("http://localhost:9000/in").is_ok());
        assert!(local("http://[::1]:9000/in").is_ok());
        assert_eq!(local("http://a.example/"), Err(InvalidTarget::NotEncrypted));
        assert_eq!(local("http://192.168.1.1/"), Err(InvalidTarget::NotPublic));
    }
}
