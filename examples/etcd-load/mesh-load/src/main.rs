//! Open-loop HTTP load against the members of a mesh, and what their client saw of it.
//!
//! `GET /metrics` gives Prometheus text, `GET /health` says that it is up. Once a second it writes one line to standard output.
//! Standard library only, so that it builds without a registry.

mod http;
mod load;
mod measure;
mod options;
mod serve;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => Arc::new(options),
        Err(said) => stop(&format!("{said}\n{}", options::USAGE)),
    };
    let listener = match TcpListener::bind(options.listen) {
        Ok(listener) => listener,
        Err(error) => stop(&format!("cannot listen on {}: {error}", options.listen)),
    };
    let measure = Arc::new(measure::Measure::default());
    let began = Instant::now();
    let (served, told) = (Arc::clone(&measure), Arc::clone(&measure));
    thread::spawn(move || serve::serve(&listener, &served, began));
    thread::spawn(move || tell(&told, began));
    load::load(&options, &measure, began);
}

fn stop(said: &str) -> ! {
    eprintln!("mesh-load: {said}");
    std::process::exit(4)
}

/// A line a second: how many requests ended in it, and how many of them well.
fn tell(measure: &measure::Measure, began: Instant) {
    for second in 1.. {
        thread::sleep((began + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
        let share = measure.last_second(began.elapsed());
        let value = share.value().map_or("none".to_string(), |value| format!("{value:.4}"));
        println!("second={second} ended={} good={} availability={value}", share.all, share.good);
    }
}
