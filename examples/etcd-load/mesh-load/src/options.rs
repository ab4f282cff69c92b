//! The command line: takes arguments, gives options, or one sentence that says what is wrong with them.

use std::net::SocketAddr;
use std::time::Duration;

pub const USAGE: &str = "usage: mesh-load --listen HOST:PORT --endpoints HOST:PORT,... --request 'METHOD PATH BODY' \
[--request ...] [--rate 100] [--timeout 1s] [--attempt 300ms] [--workers 32] [--expect TEXT]";

#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub body: String,
}

/// `timeout` is for a whole request, from the instant it was due; `attempt` for one endpoint of it.
/// `expect` must stand in the body of an answer, or the answer is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub listen: SocketAddr,
    pub endpoints: Vec<SocketAddr>,
    pub requests: Vec<Request>,
    pub rate: u32,
    pub timeout: Duration,
    pub attempt: Duration,
    pub workers: usize,
    pub expect: String,
}

pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut listen, mut endpoints, mut requests, mut expect) = (None, Vec::new(), Vec::new(), String::new());
    let (mut rate, mut workers) = (100, 32);
    let (mut timeout, mut attempt) = (Duration::from_secs(1), Duration::from_millis(300));
    let mut rest = arguments;
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or(format!("{name} needs a value"))?;
        match name.as_str() {
            "--listen" => listen = Some(address(&value)?),
            "--endpoints" => endpoints = value.split(',').map(address).collect::<Result<_, _>>()?,
            "--request" => requests.push(request(&value)?),
            "--rate" => rate = number(&name, &value, 1..=100_000)?,
            "--workers" => workers = number(&name, &value, 1..=1024)? as usize,
            "--timeout" => timeout = span(&value)?,
            "--attempt" => attempt = span(&value)?,
            "--expect" => expect = value,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    if endpoints.is_empty() || requests.is_empty() {
        return Err("at least one endpoint and one request are needed".to_string());
    }
    let listen = listen.ok_or("--listen is needed")?;
    Ok(Options { listen, endpoints, requests, rate, timeout, attempt, workers, expect })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address; expected such as 127.0.0.1:2379"))
}

fn number(name: &str, text: &str, within: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
    match text.parse() {
        Ok(found) if within.contains(&found) => Ok(found),
        _ => Err(format!("{name} {text:?} is not a number from {} to {}", within.start(), within.end())),
    }
}

fn request(text: &str) -> Result<Request, String> {
    let mut parts = text.splitn(3, ' ').map(str::to_string);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(method), Some(path), body) if path.starts_with('/') => {
            Ok(Request { method, path, body: body.unwrap_or_default() })
        }
        _ => Err(format!("{text:?} is no request; expected METHOD /PATH BODY")),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; expected such as 300ms or 2s");
    let (digits, unit) = if let Some(digits) = text.strip_suffix("ms") {
        (digits, 1)
    } else {
        (text.strip_suffix('s').ok_or_else(wrong)?, 1000)
    };
    match digits.parse::<u64>() {
        Ok(found) if (1..=3_600_000).contains(&found) => Ok(Duration::from_millis(found * unit)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[&str]) -> Result<Options, String> {
        parse(text.iter().map(|part| part.to_string()))
    }

    #[test]
    fn a_whole_command_line_is_read() {
        let line = [
            "--listen",
            "127.0.0.1:1",
            "--endpoints",
            "127.0.0.1:2,127.0.0.1:3",
            "--request",
            "POST /a {\"b\": 1}",
            "--timeout",
            "2s",
            "--rate",
            "50",
        ];
        let options = parsed(&line).unwrap();
        assert_eq!(options.endpoints.len(), 2);
        assert_eq!(options.requests[0].body, "{\"b\": 1}");
        assert_eq!((options.timeout, options.rate), (Duration::from_secs(2), 50));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let base = ["--listen", "127.0.0.1:1", "--endpoints", "127.0.0.1:2", "--request", "GET /"];
        for (more, said) in [
            (["--rate", "0"], "--rate"),
            (["--timeout", "5"], "duration"),
            (["--x", "1"], "unknown option"),
            (["--request", "GET a"], "no request"),
        ] {
            let line: Vec<&str> = base.iter().chain(more.iter()).copied().collect();
            assert!(parsed(&line).unwrap_err().contains(said));
        }
        assert!(parsed(&["--listen", "127.0.0.1:1"]).is_err());
        assert!(parsed(&["--listen"]).is_err());
    }
}
