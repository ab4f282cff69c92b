//! The two pages: `/metrics` and `/health`. One request a connection; a slow reader is given up after a second.

use crate::measure::Measure;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(1);

pub fn serve(listener: &TcpListener, measure: &Measure, began: Instant) {
    for stream in listener.incoming().flatten() {
        let _ = answer(stream, measure, began); // whoever went away gets no answer, and nobody else is kept waiting
    }
}

fn answer(mut stream: TcpStream, measure: &Measure, began: Instant) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 4096];
    let count = stream.read(&mut buffer)?;
    let first = String::from_utf8_lossy(&buffer[..count]);
    let (status, kind, body) = match first.split(' ').nth(1) {
        Some("/metrics") => ("200 OK", "text/plain; version=0.0.4", measure.exposition(began.elapsed())),
        Some("/health") => ("200 OK", "application/json", "{\"health\": \"true\"}\n".to_string()),
        _ => ("404 Not Found", "text/plain", "there are /metrics and /health\n".to_string()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
