//! Formats numbers of bytes and of other things for messages.

/// Formats a number of bytes in decimal units, as the Hub's pages show them.
pub fn human(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    let unit = UNITS.iter().find(|(_, size)| bytes >= *size);
    unit.map_or_else(
        || counted(bytes, "bytes"),
        |(unit, size)| {
            // Whole tenths, rounded down: a message never shows more than there is.
            let tenths = bytes / (size / 10);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        },
    )
}

/// Formats a number of things, which are named in the plural.
pub fn counted(number: u64, units: &str) -> String {
    let unit = if number == 1 { units.strip_suffix('s').unwrap_or(units) } else { units };
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (4_290_000, "4.2 MB"),
            (300_000_000, "300.0 MB"),
            (1 << 30, "1.0 GB"),
            (u64::MAX, "18446744.0 TB"),
        ] {
            assert_eq!(human(bytes), shown);
        }
    }
}
