use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Error, Result, Workers, guard, lock, processors, threads};

/// Time between two progress events.
const TICK: Duration = Duration::from_millis(100);

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What is being done: "read", "count", "train", "write".
    pub phase: &'static str,
    /// What `done` counts: "words", "bytes", "rows".
    pub unit: &'static str,
    /// Units done in this phase.
    pub done: u64,
    /// Of these, what was done before it began: of a checkpoint, or what was passed over, as a header.
    pub begun: u64,
    /// Units in all; unknown for a stream.
    pub total: Option<u64>,
    /// The epoch under way, from 1.
    pub epoch: Option<u32>,
    /// Mean loss since the last event.
    pub loss: Option<f64>,
}

type Sink = Box<dyn Fn(Progress) + Send + Sync>;

/// One long computation: how many threads, which seed, who may stop it, who hears of it.
pub struct Run {
    threads: usize,
    seed: u64,
    stop: Arc<AtomicBool>,
    failed: AtomicBool,
    started: Instant,
    next_tick: AtomicU64,
    done: AtomicU64,
    report: Mutex<Report>,
}

struct Report {
    sink: Sink,
    last: Progress,
    losses: f64,
    predictions: u64,
}

impl Run {
    /// A run on `threads` threads of its own (0: as many as the process may use).
    pub fn new(threads: usize, seed: u64, stop: Arc<AtomicBool>, sink: Sink) -> Self {
        let last = Progress {
            phase: "",
            unit: "",
            done: 0,
            begun: 0,
            total: None,
            epoch: None,
            loss: None,
        };
        Self {
            threads: if threads == 0 { processors() } else { threads },
            seed,
            stop,
            failed: AtomicBool::new(false),
            started: Instant::now(),
            next_tick: AtomicU64::new(0),
            done: AtomicU64::new(0),
            report: Mutex::new(Report { sink, last, losses: 0.0, predictions: 0 }),
        }
    }

    /// A run that nobody watches or stops.
    pub fn quiet(threads: usize, seed: u64) -> Self {
        Self::new(threads, seed, Arc::default(), Box::new(|_| ()))
    }

    /// The number of worker threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The seed of every random choice.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Fails if the run has been asked to stop or one of its workers has failed. Loops call it
    /// every few milliseconds at most: it is two relaxed loads.
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.stopped() { Err(Error::Aborted) } else { Ok(()) }
    }

    /// Whether `check` would fail.
    #[inline(always)]
    pub fn stopped(&self) -> bool {
        self.stop.load(Relaxed) || self.failed.load(Relaxed)
    }

    /// Begins a phase: the last event of the one before is sent, and counting starts at `done`.
    pub fn phase(&self, phase: &'static str, unit: &'static str, done: u64, total: Option<u64>) {
        let mut report = lock(&self.report);
        if !report.last.phase.is_empty() {
            self.send(&mut report);
        }
        report.last = Progress { phase, unit, done, begun: done, total, epoch: None, loss: None };
        (report.losses, report.predictions) = (0.0, 0);
        self.done.store(done, Relaxed);
        self.next_tick.store(0, Relaxed);
    }

    /// Counts `units` as done, sends an event when a tick has passed, and returns what was done.
    pub fn advance(&self, units: u64) -> u64 {
        let done = self.done.fetch_add(units, Relaxed) + units;
        let now = self.started.elapsed().as_millis() as u64;
        let tick = self.next_tick.load(Relaxed);
        let next = now + TICK.as_millis() as u64;
        if now >= tick && self.next_tick.compare_exchange(tick, next, Relaxed, Relaxed).is_ok() {
            self.send(&mut lock(&self.report));
        }
        done
    }

    /// Adds losses to the mean that the next event carries.
    pub fn lose(&self, epoch: u32, losses: f64, predictions: u64) {
        let mut report = lock(&self.report);
        report.last.epoch = report.last.epoch.max(Some(epoch));
        report.losses += losses;
        report.predictions += predictions;
    }

    /// Sends the last event, whatever the clock says.
    pub fn finish(&self) {
        let mut report = lock(&self.report);
        if !report.last.phase.is_empty() {
            self.send(&mut report);
        }
    }

    /// Under the lock, so that no event overtakes another.
    fn send(&self, report: &mut Report) {
        report.last.done = self.done.load(Relaxed);
        if report.predictions > 0 {
            report.last.loss = Some(report.losses / report.predictions as f64);
            (report.losses, report.predictions) = (0.0, 0);
        }
        (report.sink)(report.last);
    }

    /// Runs `work(worker)` on every thread and waits for all. The first failure, be it an
    /// error or a panic, stops the others and is what the caller gets.
    pub fn workers<T: Send>(&self, work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
        let one = |worker| {
            let outcome = guard(|| work(worker));
            if outcome.is_err() {
                self.failed.store(true, Relaxed);
            }
            outcome
        };
        let outcomes: Vec<_> = (0..self.threads).map(|_| Mutex::new(None)).collect();
        threads::together(self.threads, &|worker| {
            let outcome = one(worker);
            *lock(&outcomes[worker]) = Some(outcome);
        })?;
        let outcomes: Vec<Result<T>> = outcomes
            .into_iter()
            .map(|outcome| {
                let outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
                outcome.expect("every worker has ended")
            })
            .collect();
        let cause = |error: &&Error| **error != Error::Aborted;
        if let Some(error) = outcomes.iter().filter_map(|o| o.as_ref().err()).find(cause) {
            return Err(error.clone());
        }
        outcomes.into_iter().collect()
    }
}

impl Workers for Run {
    fn width(&self) -> usize {
        self.threads
    }

    fn each(&self, tasks: usize, work: &(dyn Fn(usize) -> Result<()> + Sync)) -> Result<()> {
        let next = AtomicUsize::new(0);
        let claim = |_| {
            loop {
                self.check()?;
                let task = next.fetch_add(1, Relaxed);
                if task >= tasks {
                    return Ok(());
                }
                work(task)?;
            }
        };
        if tasks <= 1 {
            return claim(0);
        }
        self.workers(claim).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_one_worker_stops_the_others_and_says_where() {
        let run = Run::quiet(2, 1);
        let error = run.workers(|worker| {
            assert_ne!(worker, 0, "worker 0 fails");
            loop {
                run.check()?;
            }
            #[allow(unreachable_code)]
            Ok(())
        });
        let Err(Error::Internal(message)) = error else { panic!("{error:?}") };
        assert!(message.contains("run.rs") && message.contains("worker 0 fails"), "{message}");
    }

    #[test]
    fn progress_ticks_ten_times_a_second_at_most_and_never_goes_back() {
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let sink = Box::new(move |progress: Progress| heard.lock().unwrap().push(progress.done));
        let run = Run::new(2, 1, Arc::default(), sink);
        run.phase("train", "words", 0, Some(1 << 40));
        run.workers(|_| {
            while run.started.elapsed() < Duration::from_millis(350) {
                run.advance(1);
            }
            Ok(())
        })
        .unwrap();
        run.finish();
        let events = events.lock().unwrap();
        assert!((2..=5).contains(&events.len()), "at 0, 100, 200, 300 ms and the last: {events:?}");
        assert!(events.is_sorted());
        assert_eq!(*events.last().unwrap(), run.done.load(Relaxed));
    }

    #[test]
    fn what_was_done_before_a_phase_is_told_with_all_of_its_events() {
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let sink = Box::new(move |progress: Progress| {
            heard.lock().unwrap().push((progress.begun, progress.done));
        });
        let run = Run::new(1, 1, Arc::default(), sink);
        run.phase("train", "words", 70, Some(100));
        run.advance(10);
        run.advance(20);
        run.phase("write", "rows", 0, None);
        run.finish();
        assert_eq!(*events.lock().unwrap(), [(70, 80), (70, 100), (0, 0)]);
    }

    #[test]
    fn losses_are_means_since_the_last_event() {
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let sink = Box::new(move |progress: Progress| heard.lock().unwrap().push(progress.loss));
        let run = Run::new(1, 1, Arc::default(), sink);
        run.phase("train", "words", 0, None);
        run.lose(1, 6.0, 2);
        run.advance(1);
        run.lose(1, 5.0, 5);
        run.finish();
        assert_eq!(*events.lock().unwrap(), [Some(3.0), Some(1.0)]);
    }

    #[test]
    fn each_does_every_task_once() {
        let run = Run::quiet(3, 1);
        let counts: Vec<AtomicU64> = (0..100).map(|_| AtomicU64::new(0)).collect();
        run.each(100, &|task| {
            counts[task].fetch_add(1, Relaxed);
            Ok(())
        })
        .unwrap();
        assert!(counts.iter().all(|count| count.load(Relaxed) == 1));
    }
}
