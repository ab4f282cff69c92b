//! Open-loop load: requests are due at fixed instants, whatever became of those before.
//!
//! A dispatcher hands each to a worker when it is due; where all are busy and the queue is full, it counts as failed at once. So
//! a mesh that stalls cannot slow its own measurement down. A worker is a client with failover: where an endpoint does not
//! answer, it asks the next, as long as the request's time lasts.

use crate::http::{connect, Connection};
use crate::measure::{Measure, Outcome};
use crate::options::{Options, Request};
use std::sync::mpsc::{sync_channel, Receiver, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const MOST_WAITING: usize = 1024;

struct Due {
    number: u64,
    at: Instant,
}

/// When the n-th request is due, counted from the beginning.
pub fn due(number: u64, rate: u32) -> Duration {
    Duration::from_nanos((u128::from(number) * 1_000_000_000 / u128::from(rate)) as u64)
}

/// Load the mesh for ever.
pub fn load(options: &Arc<Options>, measure: &Arc<Measure>, began: Instant) {
    let (sender, receiver) = sync_channel(MOST_WAITING.min(options.rate as usize).max(1));
    let receiver = Arc::new(Mutex::new(receiver));
    for worker in 0..options.workers {
        let (options, measure, receiver) = (Arc::clone(options), Arc::clone(measure), Arc::clone(&receiver));
        thread::spawn(move || work(&options, &measure, &receiver, began, worker));
    }
    for number in 0.. {
        let at = began + due(number, options.rate);
        thread::sleep(at.saturating_duration_since(Instant::now()));
        if let Err(TrySendError::Full(_)) = sender.try_send(Due { number, at }) {
            measure.record(began.elapsed(), at.elapsed(), Outcome::Shed);
        }
    }
}

fn work(options: &Options, measure: &Measure, receiver: &Mutex<Receiver<Due>>, began: Instant, worker: usize) {
    let mut client = Client::new(options, worker);
    loop {
        let next = receiver.lock().unwrap().recv();
        let job = match next {
            Ok(job) => job,
            Err(_) => return,
        };
        let request = &options.requests[job.number as usize % options.requests.len()];
        let outcome = client.ask(request, job.at + options.timeout);
        measure.record(began.elapsed(), job.at.elapsed(), outcome);
    }
}

/// One client: it keeps to an endpoint that answers, and goes on to the next where one does not.
pub struct Client<'a> {
    options: &'a Options,
    at: usize,
    connection: Option<Connection>,
}

impl<'a> Client<'a> {
    pub fn new(options: &'a Options, start: usize) -> Self {
        Client { options, at: start % options.endpoints.len(), connection: None }
    }

    /// The last outcome counts, where no endpoint gave a good one in time.
    pub fn ask(&mut self, request: &Request, until: Instant) -> Outcome {
        let mut last = Outcome::Timeout;
        for _ in 0..=self.options.endpoints.len() {
            if Instant::now() >= until {
                return last;
            }
            last = self.once(request, until.min(Instant::now() + self.options.attempt));
            if last == Outcome::Ok {
                return last;
            }
            self.connection = None;
            self.at = (self.at + 1) % self.options.endpoints.len();
        }
        last
    }

    fn once(&mut self, request: &Request, until: Instant) -> Outcome {
        let mut connection = match self.connection.take().map_or_else(|| connect(self.options.endpoints[self.at], until), Ok) {
            Ok(connection) => connection,
            Err(outcome) => return outcome,
        };
        match connection.exchange(request, until) {
            Ok(answer) => {
                if answer.kept {
                    self.connection = Some(connection);
                }
                let expected = answer.status == 200 && String::from_utf8_lossy(&answer.body).contains(&self.options.expect);
                if expected {
                    Outcome::Ok
                } else {
                    Outcome::Rejected
                }
            }
            Err(outcome) => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};

    fn options(endpoints: Vec<SocketAddr>) -> Options {
        let request = Request { method: "GET".into(), path: "/".into(), body: String::new() };
        Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            endpoints,
            requests: vec![request],
            rate: 10,
            timeout: Duration::from_secs(2),
            attempt: Duration::from_millis(200),
            workers: 1,
            expect: "header".into(),
        }
    }

    fn server(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                while matches!(stream.read(&mut [0; 4096]), Ok(count) if count > 0) {
                    if answer.is_empty() {
                        thread::sleep(Duration::from_secs(60)); // a member that is frozen: it accepts, and says nothing
                    }
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        host
    }

    fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nheader";

    #[test]
    fn requests_are_due_at_fixed_instants() {
        assert_eq!(due(0, 200), Duration::ZERO);
        assert_eq!(due(1, 200), Duration::from_millis(5));
        assert_eq!(due(2_000_000_000, 200), Duration::from_secs(10_000_000));
    }

    #[test]
    fn a_dead_and_a_frozen_endpoint_are_left_for_one_that_answers() {
        let options = options(vec![refusing(), server(""), server(GOOD)]);
        let mut client = Client::new(&options, 0);
        assert_eq!(client.ask(&options.requests[0], Instant::now() + options.timeout), Outcome::Ok);
        let again = Instant::now();
        assert_eq!(client.ask(&options.requests[0], again + options.timeout), Outcome::Ok);
        assert!(again.elapsed() < options.attempt, "it keeps to the endpoint that answered");
    }

    #[test]
    fn what_no_endpoint_gives_is_a_failure_with_its_kind() {
        for (endpoint, expected) in [
            (refusing(), Outcome::Refused),
            (server(""), Outcome::Timeout),
            (server("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), Outcome::Rejected),
            (server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nerror"), Outcome::Rejected),
        ] {
            let options = options(vec![endpoint]);
            let until = Instant::now() + Duration::from_millis(500);
            assert_eq!(Client::new(&options, 0).ask(&options.requests[0], until), expected);
        }
    }

    #[test]
    fn a_request_never_outlasts_its_time_by_more_than_an_attempt() {
        let options = options(vec![server(""), server("")]);
        let began = Instant::now();
        Client::new(&options, 0).ask(&options.requests[0], began + Duration::from_millis(300));
        assert!(began.elapsed() < Duration::from_secs(1));
    }
}
