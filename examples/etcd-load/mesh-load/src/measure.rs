//! What the client saw: counts by outcome, a latency histogram, and the share of good requests in the last second.
//!
//! Takes each request when it has ended; gives Prometheus text. Where nothing ended in the last second, there is no share:
//! no data is never a number.

use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

/// How a request ended. All but `Ok` are failures of the mesh as its client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// No answer in time.
    Timeout,
    /// Nobody listened, at any endpoint.
    Refused,
    /// The connection broke, or what came was no HTTP.
    Broken,
    /// An answer that says no, or not what was expected.
    Rejected,
    /// Too many were outstanding already: it was due and could not even be sent.
    Shed,
}

const OUTCOMES: [(Outcome, &str); 6] = [
    (Outcome::Ok, "ok"),
    (Outcome::Timeout, "timeout"),
    (Outcome::Refused, "refused"),
    (Outcome::Broken, "broken"),
    (Outcome::Rejected, "rejected"),
    (Outcome::Shed, "shed"),
];
const BOUNDS: [f64; 14] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0];
const SLOT: u64 = 100;
const SLOTS: u64 = 10;
const RING: usize = 16;

#[derive(Default, Clone, Copy)]
struct Slot {
    number: u64,
    good: u64,
    all: u64,
}

#[derive(Default)]
struct Counts {
    outcomes: [u64; OUTCOMES.len()],
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
    ring: [Slot; RING],
}

#[derive(Default)]
pub struct Measure {
    counts: Mutex<Counts>,
}

/// Good and all requests that ended within some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    pub good: u64,
    pub all: u64,
}

impl Share {
    pub fn value(self) -> Option<f64> {
        (self.all > 0).then(|| self.good as f64 / self.all as f64)
    }
}

impl Measure {
    /// A request ended at `now` (since the beginning), `latency` after it was due.
    pub fn record(&self, now: Duration, latency: Duration, outcome: Outcome) {
        let mut counts = self.counts.lock().unwrap();
        let index = OUTCOMES.iter().position(|(known, _)| *known == outcome).unwrap();
        counts.outcomes[index] += 1;
        if outcome == Outcome::Ok {
            let seconds = latency.as_secs_f64();
            let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
            counts.buckets[bucket] += 1;
            counts.sum += seconds;
        }
        let number = now.as_millis() as u64 / SLOT;
        let slot = &mut counts.ring[number as usize % RING];
        if slot.number != number {
            *slot = Slot { number, ..Slot::default() };
        }
        slot.all += 1;
        slot.good += u64::from(outcome == Outcome::Ok);
    }

    /// What ended in the second before `now`.
    pub fn last_second(&self, now: Duration) -> Share {
        let counts = self.counts.lock().unwrap();
        let until = now.as_millis() as u64 / SLOT;
        let recent = counts.ring.iter().filter(|slot| slot.number <= until && slot.number + SLOTS > until);
        recent.fold(Share::default(), |sum, slot| Share { good: sum.good + slot.good, all: sum.all + slot.all })
    }

    /// Prometheus text, version 0.0.4.
    pub fn exposition(&self, now: Duration) -> String {
        let share = self.last_second(now);
        let counts = self.counts.lock().unwrap();
        let mut out = String::new();
        out += "# HELP mesh_load_requests_total Requests by how they ended, from the instant they were due.\n# TYPE mesh_load_requests_total counter\n";
        for ((_, name), count) in OUTCOMES.iter().zip(counts.outcomes) {
            writeln!(out, "mesh_load_requests_total{{outcome=\"{name}\"}} {count}").unwrap();
        }
        out += "# HELP mesh_load_latency_seconds How long good requests took, from the instant they were due.\n# TYPE mesh_load_latency_seconds histogram\n";
        let mut sum = 0;
        for (count, bound) in counts.buckets.iter().zip(BOUNDS) {
            sum += count;
            writeln!(out, "mesh_load_latency_seconds_bucket{{le=\"{bound}\"}} {sum}").unwrap();
        }
        let all: u64 = counts.buckets.iter().sum();
        writeln!(out, "mesh_load_latency_seconds_bucket{{le=\"+Inf\"}} {all}").unwrap();
        writeln!(out, "mesh_load_latency_seconds_sum {}\nmesh_load_latency_seconds_count {all}", counts.sum).unwrap();
        if let Some(value) = share.value() {
            out += "# HELP mesh_load_availability Share of good requests among those that ended in the last second.\n# TYPE mesh_load_availability gauge\n";
            writeln!(out, "mesh_load_availability {value}").unwrap();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn no_request_is_no_availability() {
        let measure = Measure::default();
        assert_eq!(measure.last_second(MS * 500).value(), None);
        assert!(!measure.exposition(MS * 500).contains("mesh_load_availability"));
    }

    #[test]
    fn availability_is_that_of_the_last_second_only() {
        let measure = Measure::default();
        for at in 0..10 {
            measure.record(MS * at * 100, MS, Outcome::Ok);
        }
        measure.record(MS * 950, MS, Outcome::Timeout);
        assert_eq!(measure.last_second(MS * 999), Share { good: 10, all: 11 });
        assert_eq!(measure.last_second(MS * 1899), Share { good: 1, all: 2 });
        assert_eq!(measure.last_second(MS * 2900).value(), None);
    }

    #[test]
    fn a_slot_is_used_again_only_for_its_own_time() {
        let measure = Measure::default();
        measure.record(MS * 50, MS, Outcome::Refused);
        measure.record(MS * (50 + 100 * RING as u32), MS, Outcome::Ok);
        assert_eq!(measure.last_second(MS * (60 + 100 * RING as u32)), Share { good: 1, all: 1 });
    }

    #[test]
    fn the_histogram_is_cumulative_and_holds_good_requests() {
        let measure = Measure::default();
        measure.record(MS, MS * 4, Outcome::Ok);
        measure.record(MS, MS * 40, Outcome::Ok);
        measure.record(MS, MS * 9000, Outcome::Ok);
        measure.record(MS, MS * 40, Outcome::Shed);
        let text = measure.exposition(MS * 2);
        for line in [
            "bucket{le=\"0.002\"} 0",
            "bucket{le=\"0.005\"} 1",
            "bucket{le=\"0.05\"} 2",
            "bucket{le=\"5\"} 2",
            "bucket{le=\"+Inf\"} 3",
            "_count 3",
            "{outcome=\"shed\"} 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
