//! Times in UTC as years, months and days.

/// A time in UTC, in the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// The year.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// 0 to 999,999.
    pub microsecond: i64,
}

impl DateTime {
    /// The time so many nanoseconds after the begin of 1970.
    pub fn at(nanoseconds: i64) -> Self {
        let (seconds, rest) =
            (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
        let (days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (clock / 3600, clock % 3600 / 60, clock % 60);
        Self { year, month, day, hour, minute, second, microsecond: rest / 1000 }
    }
}

/// The day of the Gregorian calendar that is `days` after the first of 1970, counted in
/// eras of 400 years that begin in March, so that the leap day is the last of a year.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_gregorian_calendar() {
        let date = |nanoseconds| {
            let DateTime { year, month, day, hour, .. } = DateTime::at(nanoseconds);
            (year, month, day, hour)
        };
        assert_eq!(date(0), (1970, 1, 1, 0));
        assert_eq!(date(-1), (1969, 12, 31, 23));
        assert_eq!(date(951_782_400_000_000_000), (2000, 2, 29, 0));
        assert_eq!(date(1_709_251_199_999_999_999), (2024, 2, 29, 23));
        assert_eq!(DateTime::at(1_999).microsecond, 1);
    }
}
