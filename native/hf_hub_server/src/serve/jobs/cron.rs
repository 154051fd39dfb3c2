//! Cron expressions of five fields, in UTC, and their names such as `@daily`.

use std::ops::RangeInclusive;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const NAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Days until the next 29 February, at most: 2100 has none.
const HORIZON: usize = 8 * 366 + 1;

/// A schedule.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::serve) struct Cron {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// The values of a field, as bits.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Field {
    bits: u64,
    is_any: bool,
}

impl Field {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.bits >> value & 1 == 1)
    }

    /// Parses lists of values, ranges and steps, such as `1,5-9,*/15`.
    fn parse(text: &str, range: &RangeInclusive<u32>, names: &[&str]) -> Option<Self> {
        let mut bits = 0;
        for part in text.split(',') {
            let (values, step) = part.split_once('/').unwrap_or((part, "1"));
            let step = step.parse::<u32>().ok().filter(|step| *step > 0)?;
            let (first, last) = match values.split_once('-') {
                _ if matches!(values, "*" | "?") => (*range.start(), *range.end()),
                Some((first, last)) => (value(first, range, names)?, value(last, range, names)?),
                // A step from a value goes to the end.
                None if part.contains('/') => (value(values, range, names)?, *range.end()),
                None => (value(values, range, names)?, value(values, range, names)?),
            };
            if first > last {
                return None;
            }
            for value in (first..=last).step_by(usize::try_from(step).ok()?) {
                bits |= 1 << value;
            }
        }
        Some(Self { bits, is_any: matches!(text, "*" | "?") })
    }
}

fn value(text: &str, range: &RangeInclusive<u32>, names: &[&str]) -> Option<u32> {
    let index = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let number = match index {
        Some(index) => u32::try_from(index).ok()? + range.start(),
        None => text.parse().ok()?,
    };
    range.contains(&number).then_some(number)
}

impl Cron {
    /// Parses a schedule; `None` if it is invalid, or would never come.
    pub(in crate::serve) fn parse(text: &str) -> Option<Self> {
        let named = NAMES.iter().find(|(name, _)| *name == text);
        let fields = named.map_or(text, |(_, fields)| fields).split_ascii_whitespace();
        let [minutes, hours, days, months, weekdays] = *fields.collect::<Vec<_>>() else {
            return None;
        };
        let mut weekdays = Field::parse(weekdays, &(0..=7), &DAYS)?;
        // Sunday has two numbers.
        weekdays.bits |= weekdays.bits >> 7;
        let cron = Self {
            minutes: Field::parse(minutes, &(0..=59), &[])?,
            hours: Field::parse(hours, &(0..=23), &[])?,
            days: Field::parse(days, &(1..=31), &[])?,
            months: Field::parse(months, &(1..=12), &MONTHS)?,
            weekdays,
        };
        cron.next(Timestamp::UNIX_EPOCH).is_some().then_some(cron)
    }

    /// Returns the first time after another.
    pub(in crate::serve) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let start = TimeZone::UTC.to_datetime(after);
        let mut date = start.date();
        let mut from = (start.hour(), start.minute() + 1);
        for _ in 0..HORIZON {
            if self.has_day(date)
                && let Some(time) = self.time(from)
            {
                return TimeZone::UTC.to_timestamp(date.to_datetime(time)).ok();
            }
            date = date.checked_add(1.day()).ok()?;
            from = (0, 0);
        }
        None
    }

    /// As everywhere, a day must fit one of its two fields if both are given.
    fn has_day(&self, date: Date) -> bool {
        let by_day = self.days.has(date.day());
        let by_weekday = self.weekdays.has(date.weekday().to_sunday_zero_offset());
        let fits = match (self.days.is_any, self.weekdays.is_any) {
            (false, false) => by_day || by_weekday,
            _ => by_day && by_weekday,
        };
        fits && self.months.has(date.month())
    }

    /// Returns the first time of a day that is not before hour and minute.
    fn time(&self, (hour, minute): (i8, i8)) -> Option<Time> {
        let hours = (hour..24).filter(|hour| self.hours.has(*hour));
        let mut times = hours.flat_map(|found| {
            let first = if found == hour { minute } else { 0 };
            (first..60)
                .filter(|minute| self.minutes.has(*minute))
                .map(move |minute| (found, minute))
        });
        times.next().and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let cron = Cron::parse(schedule).unwrap_or_else(|| panic!("{schedule}"));
        cron.next(after.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn finds_the_next_time() {
        // A Tuesday.
        let now = "2026-03-31T10:59:30Z";
        for (schedule, expected) in [
            ("* * * * *", "2026-03-31T11:00:00Z"),
            ("59 10 * * *", "2026-04-01T10:59:00Z"),
            ("0 9 * * 1", "2026-04-06T09:00:00Z"),
            ("0 9 * * MON-FRI", "2026-04-01T09:00:00Z"),
            ("0 0 * * 7", "2026-04-05T00:00:00Z"),
            ("*/15 8-18/2 * * *", "2026-03-31T12:00:00Z"),
            ("30/20 * * * *", "2026-03-31T11:30:00Z"),
            ("0 0 31 * ?", "2026-05-31T00:00:00Z"),
            // Both days are given: each counts.
            ("0 0 13 * fri", "2026-04-03T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("@hourly", "2026-03-31T11:00:00Z"),
            ("@daily", "2026-04-01T00:00:00Z"),
            ("@weekly", "2026-04-05T00:00:00Z"),
            ("@monthly", "2026-04-01T00:00:00Z"),
            ("@yearly", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(next(schedule, now), expected, "{schedule}");
        }
        assert_eq!(next("* * * * *", "2026-12-31T23:59:59.5Z"), "2027-01-01T00:00:00Z");
        assert_eq!(next("0 0 29 2 *", "2096-02-29T00:00:00Z"), "2104-02-29T00:00:00Z");
    }

    #[test]
    fn rejects_what_it_does_not_understand_or_never_comes() {
        for schedule in [
            "",
            "@often",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "1, * * * *",
            "* * * * MON#2",
            "0 0 30 2 *",
            "-1 * * * *",
            "1/ * * * *",
            "99999999999 * * * *",
        ] {
            assert_eq!(Cron::parse(schedule), None, "{schedule}");
        }
    }
}
