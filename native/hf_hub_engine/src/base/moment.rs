//! Points in time as a Hub's JSON and file systems write them.

/// A point in time in UTC, with the digits of its second's fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The year.
    pub year: u32,
    /// The month, from 1.
    pub month: u32,
    /// The day of the month.
    pub day: u32,
    /// The hour.
    pub hour: u32,
    /// The minute.
    pub minute: u32,
    /// The second.
    pub second: u32,
    /// The microsecond.
    pub microsecond: u32,
    /// Number of digits of the fraction that were written.
    pub digits: u32,
}

impl Moment {
    /// Reads the form in which a Hub writes all times, such as `2025-06-01T12:00:00.000Z`; `None`
    /// for any other, which may be valid too.
    pub fn read(text: &str) -> Option<Self> {
        let (time, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
        let digits = fraction.strip_prefix('.').unwrap_or_default();
        if fraction.len() == 1 || digits.len() > 6 || fraction.len() > digits.len() + 1 {
            return None;
        }
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if marks.iter().any(|(at, mark)| time.as_bytes()[*at] != *mark) {
            return None;
        }
        let field = |from, to| number(&time.as_bytes()[from..to]);
        let length = u32::try_from(digits.len()).ok()?;
        let moment = Self {
            year: field(0, 4)?,
            month: field(5, 7)?,
            day: field(8, 10)?,
            hour: field(11, 13)?,
            minute: field(14, 16)?,
            second: field(17, 19)?,
            microsecond: number(digits.as_bytes())? * 10_u32.pow(6 - length),
            digits: length,
        };
        moment.exists().then_some(moment)
    }

    /// Returns the moment so many microseconds after 1970; `None` outside of the years 0 to 9999.
    pub fn since_1970(microseconds: i64) -> Option<Self> {
        const DAY: i64 = 86_400_000_000;
        let (mut days, rest) = (microseconds.div_euclid(DAY), microseconds.rem_euclid(DAY));
        // From the first of March of the year 0, so that a leap day is the last one of its year.
        days += 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let part = |number: i64| u32::try_from(number).ok();
        let second = rest / 1_000_000;
        Some(Self {
            year: part(era * 400 + year + next).filter(|year| *year <= 9999)?,
            month: part(month)?,
            day: part(day)?,
            hour: part(second / 3600)?,
            minute: part(second / 60 % 60)?,
            second: part(second % 60)?,
            microsecond: part(rest % 1_000_000)?,
            digits: 6,
        })
    }

    fn exists(&self) -> bool {
        (1..=self.days_of_month()).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
    }

    fn days_of_month(&self) -> u32 {
        let year = self.year;
        match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if year.is_multiple_of(if year.is_multiple_of(100) { 400 } else { 4 }) => 29,
            2 => 28,
            _ => 0,
        }
    }
}

/// Returns the number that digits are; 0 without any.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_form_of_the_hub() {
        let moment = Moment::read("2024-02-29T23:59:58.120Z").unwrap();
        assert_eq!((moment.year, moment.month, moment.day), (2024, 2, 29));
        assert_eq!((moment.hour, moment.minute, moment.second), (23, 59, 58));
        assert_eq!((moment.microsecond, moment.digits), (120_000, 3));
        let whole = Moment::read("2000-02-29T00:00:00Z").unwrap();
        assert_eq!((whole.microsecond, whole.digits), (0, 0));
        assert_eq!(Moment::read("0000-12-31T00:00:00.000001Z").unwrap().microsecond, 1);
    }

    #[test]
    fn counts_from_1970() {
        for (microseconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_800_000_001, "2000-03-01T00:00:00.000001Z"),
            (-2_203_891_200_000_000, "1900-03-01T00:00:00.000000Z"),
            (1_764_633_599_123_456, "2025-12-01T23:59:59.123456Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00.000000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Moment::since_1970(microseconds), Moment::read(text), "{text}");
        }
    }

    #[test]
    fn counts_no_year_of_other_lengths() {
        for beyond in [-62_167_219_200_000_001, 253_402_300_800_000_000, i64::MIN, i64::MAX] {
            assert_eq!(Moment::since_1970(beyond), None);
        }
    }

    #[test]
    fn leaves_any_other_form() {
        for text in [
            "",
            "Z",
            "2024",
            "2024-02-19",
            "2024-02-19T10:57:45",
            "2024-02-19T10:57:45+00:00",
            "2024-02-19 10:57:45Z",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1234567Z",
            "2024-01-01T00:00:00,1Z",
            "2024-01-01T00:00:00x1Z",
            "2024-01-01T00:00:00.+1Z",
            "+024-01-01T00:00:00Z",
            "-2024-01-01T00:00:00Z",
            "2024-01-01T00:00:0éZ",
            "２024-01-01T00:00:00Z",
            "2024-01-01T00:00:00z",
            "20240101T000000Z\0\0\0\0\0",
        ] {
            assert_eq!(Moment::read(text), None, "{text}");
        }
    }
}
