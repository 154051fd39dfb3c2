//! The addresses that webhooks may be sent to.
//!
//! A user of the Hub chooses the URL of a webhook, and the Hub is inside the network: without this
//! rule it would reach machines for its users that they cannot reach themselves.

use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// This machine.
    Loopback,
    /// All addresses that begin with these bits.
    Block { start: IpAddr, bits: u8 },
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected `loopback`, an IP address or a network like 10.0.0.0/8";
        if text == "loopback" {
            return Ok(Self::Loopback);
        }
        let (start, bits) = text.split_once('/').unwrap_or((text, ""));
        let start: IpAddr = start.parse().map_err(|_| EXPECTED)?;
        let most = if start.is_ipv4() { 32 } else { 128 };
        let bits = if text.contains('/') { bits.parse().map_err(|_| EXPECTED)? } else { most };
        if bits > most {
            return Err(format!("a network of such addresses has at most {most} bits"));
        }
        Ok(Self::Block { start, bits })
    }
}

impl Network {
    /// Whether it contains an address. `::ffff:127.0.0.1` is another form of `127.0.0.1`.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Loopback => address.is_loopback(),
            Self::Block { start, bits } => match (start.to_canonical(), address) {
                (IpAddr::V4(_), IpAddr::V4(address)) => {
                    let (start, bits) = narrow(start, bits);
                    starts_alike(start, u128::from(address.to_bits()) << 96, bits)
                }
                (IpAddr::V6(start), IpAddr::V6(address)) => {
                    starts_alike(start.to_bits(), address.to_bits(), bits)
                }
                _ => false,
            },
        }
    }
}

/// Returns the bits of a network of IPv4 addresses, which may be written as mapped ones.
fn narrow(start: IpAddr, bits: u8) -> (u128, u8) {
    match start {
        IpAddr::V4(start) => (u128::from(start.to_bits()) << 96, bits),
        IpAddr::V6(start) => (start.to_bits() << 96, bits.saturating_sub(96)),
    }
}

fn starts_alike(a: u128, b: u128, bits: u8) -> bool {
    bits == 0 || (a ^ b) >> (128 - u32::from(bits)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn contains_addresses_in_every_form() {
        for (network, address) in [
            ("loopback", "127.0.0.1"),
            ("loopback", "127.8.9.1"),
            ("loopback", "::1"),
            ("loopback", "::ffff:127.0.0.1"),
            ("10.0.0.0/8", "10.255.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3"),
            ("10.1.2.3", "10.1.2.3"),
            ("0.0.0.0/0", "8.8.8.8"),
            ("fd00::/8", "fd12::1"),
            ("::/0", "2001:db8::1"),
        ] {
            assert!(contains(network, address), "{network} {address}");
        }
    }

    #[test]
    fn contains_no_other_addresses() {
        for (network, address) in [
            ("loopback", "0.0.0.0"),
            ("loopback", "::"),
            ("loopback", "10.0.0.1"),
            ("loopback", "169.254.169.254"),
            ("loopback", "::ffff:169.254.169.254"),
            ("loopback", "::127.0.0.1"),
            ("loopback", "64:ff9b::7f00:1"),
            ("10.0.0.0/8", "11.0.0.1"),
            ("10.0.0.0/8", "127.0.0.1"),
            ("10.0.0.0/8", "::ffff:127.0.0.1"),
            ("10.1.2.3", "10.1.2.4"),
            ("::/0", "10.1.2.3"),
            ("::/0", "::ffff:10.1.2.3"),
            ("0.0.0.0/0", "2001:db8::1"),
        ] {
            assert!(!contains(network, address), "{network} {address}");
        }
    }

    #[test]
    fn rejects_what_is_no_network() {
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::1/129", "x/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
