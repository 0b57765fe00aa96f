//! Which frames of a film are given, and for which times.

/// Seconds by which two times are the same: those of a film may be rounded to microseconds.
const NEAR: f64 = 2e-6;

/// What is next.
pub enum Next {
    /// The frame that is shown, for a time in seconds.
    Give(f64),
    /// Nothing more.
    End,
    /// The next frame has to be looked at.
    Advance,
}

/// By a rate, what is shown at `from`, `from + 1 / rate` and so on: the nearest earlier frame, or the first one if
/// there is none. Without a rate, the frames whose own times lie in the part that is wanted.
pub struct Sampling {
    rate: Option<f64>,
    from: f64,
    to: f64,
    /// Times that were given.
    given: u64,
    shown: Option<Shown>,
}

struct Shown {
    time: f64,
    end: f64,
    is_given: bool,
}

impl Sampling {
    /// Seconds; without `to` up to the end of the film.
    pub fn new(rate: Option<f64>, from: f64, to: Option<f64>) -> Self {
        Self { rate, from, to: to.unwrap_or(f64::INFINITY), given: 0, shown: None }
    }

    /// A frame is shown now, from one second to the other.
    pub fn show(&mut self, time: f64, end: f64) {
        self.shown = Some(Shown { time, end, is_given: false });
    }

    /// What is next.
    pub fn next(&mut self) -> Next {
        let Some(shown) = &mut self.shown else { return Next::Advance };
        let Some(rate) = self.rate else {
            if shown.time + NEAR >= self.to {
                return Next::End;
            }
            let is_wanted = shown.time + NEAR >= self.from && !shown.is_given;
            shown.is_given = true;
            return if is_wanted { Next::Give(shown.time) } else { Next::Advance };
        };
        let wanted = self.from + self.given as f64 / rate;
        if wanted + NEAR >= self.to {
            return Next::End;
        }
        if wanted + NEAR >= shown.end {
            return Next::Advance;
        }
        self.given += 1;
        Next::Give(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the frames that are given of a film of so many.
    fn given(sampling: &mut Sampling, frames: usize, time: impl Fn(usize) -> f64) -> Vec<usize> {
        let (mut shown, mut given) = (0, Vec::new());
        loop {
            match sampling.next() {
                Next::Give(_) => given.push(shown - 1),
                Next::End => return given,
                Next::Advance if shown == frames => return given,
                Next::Advance => {
                    sampling.show(time(shown), time(shown + 1));
                    shown += 1;
                }
            }
        }
    }

    #[test]
    fn times_that_are_rounded_are_those_that_they_were() {
        for rate in [23.976, 24.0, 25.0, 29.97, 30.0, 60.0] {
            let micros = |frame: usize| (frame as f64 / rate * 1e6).round() / 1e6;
            let all: Vec<usize> = (0..500).collect();
            assert_eq!(given(&mut Sampling::new(Some(rate), 0.0, None), 500, micros), all);
            let fifth: Vec<usize> = (0..500).step_by(5).collect();
            assert_eq!(given(&mut Sampling::new(Some(rate / 5.0), 0.0, None), 500, micros), fifth);
            let part = &mut Sampling::new(None, 100.0 / rate, Some(200.0 / rate));
            assert_eq!(given(part, 500, micros), (100..200).collect::<Vec<_>>());
            let part = &mut Sampling::new(Some(rate), 100.0 / rate, Some(200.0 / rate));
            assert_eq!(given(part, 500, micros), (100..200).collect::<Vec<_>>());
        }
    }
}
