//! Which frames of a film are given, and for which times.

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
            if shown.time >= self.to {
                return Next::End;
            }
            let is_wanted = shown.time >= self.from && !shown.is_given;
            shown.is_given = true;
            return if is_wanted { Next::Give(shown.time) } else { Next::Advance };
        };
        let wanted = self.from + self.given as f64 / rate;
        if wanted >= self.to {
            return Next::End;
        }
        if wanted >= shown.end {
            return Next::Advance;
        }
        self.given += 1;
        Next::Give(wanted)
    }
}
