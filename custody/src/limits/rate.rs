//! `600/m`: so many at once, and as many again in each minute.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of requests in a time. All of them may come at once; after that they are earned back
/// evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

/// The text is no [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is a number from 1 to 1000000 of requests a second, minute or hour, as in 10/s, 600/m or 100/h; or off"
)]
pub struct RateError;

const MOST: u32 = 1_000_000;

// === impl Rate ===

impl Rate {
    /// `count` is at least 1.
    pub const fn per_minute(count: u32) -> Self {
        Self { count, period: Duration::from_secs(60) }
    }

    /// How long it takes to earn one request back.
    pub fn interval(self) -> Duration {
        self.period / self.count.max(1)
    }

    pub fn period(self) -> Duration {
        self.period
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (count, unit) = text.split_once('/').ok_or(RateError)?;
        let period = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(RateError),
        };
        let plain = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
        let count: u32 = count.parse().map_err(|_| RateError)?;
        if plain && (1..=MOST).contains(&count) {
            Ok(Self { count, period })
        } else {
            Err(RateError)
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.period.as_secs() {
            1 => "s",
            60 => "m",
            _ => "h",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_write_it() {
        for good in ["1/s", "600/m", "1000000/h"] {
            assert_eq!(good.parse::<Rate>().unwrap().to_string(), good);
        }
        assert_eq!("600/m".parse::<Rate>().unwrap().interval(), Duration::from_millis(100));
        for bad in ["", "1", "/s", "0/s", "-1/s", "+1/s", "1/d", "1/ s", "1.5/s", "1000001/s"] {
            assert_eq!(bad.parse::<Rate>(), Err(RateError), "{bad}");
        }
    }
}
