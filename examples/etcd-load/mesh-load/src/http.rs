//! As much of HTTP/1.1 as a load generator needs: one request on a kept connection, and its whole answer, by a deadline.
//!
//! Refuses what is too long or no HTTP. The connection can be used again only after a whole answer.

use crate::measure::Outcome;
use crate::options::Request;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

const MOST_HEADER: usize = 16 * 1024;
const MOST_BODY: usize = 1024 * 1024;

pub struct Connection {
    stream: TcpStream,
    host: SocketAddr,
    held: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub kept: bool,
}

pub fn connect(host: SocketAddr, until: Instant) -> Result<Connection, Outcome> {
    let stream = TcpStream::connect_timeout(&host, left(until)?).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => Outcome::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Outcome::Timeout,
        _ => Outcome::Broken,
    })?;
    stream.set_nodelay(true).map_err(|_| Outcome::Broken)?;
    Ok(Connection { stream, host, held: Vec::new() })
}

fn left(until: Instant) -> Result<std::time::Duration, Outcome> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(Outcome::Timeout)
    } else {
        Ok(left)
    }
}

impl Connection {
    pub fn exchange(&mut self, request: &Request, until: Instant) -> Result<Answer, Outcome> {
        let text = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
            request.method,
            request.path,
            self.host,
            request.body.len(),
            request.body
        );
        self.stream.set_write_timeout(Some(left(until)?)).map_err(|_| Outcome::Broken)?;
        self.stream.write_all(text.as_bytes()).map_err(|error| outcome(error.kind()))?;
        self.answer(until)
    }

    fn answer(&mut self, until: Instant) -> Result<Answer, Outcome> {
        let end = loop {
            if let Some(at) = find(&self.held, b"\r\n\r\n") {
                break at + 4;
            }
            if self.held.len() > MOST_HEADER || !self.more(until)? {
                return Err(Outcome::Broken);
            }
        };
        let header = String::from_utf8_lossy(&self.held[..end]).to_ascii_lowercase();
        self.held.drain(..end);
        let status = header.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(Outcome::Broken)?;
        let field = |name: &str| header.lines().find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_string()));
        let close = field("connection:").as_deref() == Some("close");
        let body = if let Some(length) = field("content-length:") {
            self.exactly(length.parse().map_err(|_| Outcome::Broken)?, until)?
        } else if field("transfer-encoding:").as_deref() == Some("chunked") {
            self.chunks(until)?
        } else {
            return Err(Outcome::Broken); // an answer without an end could be cut off and nobody would know
        };
        Ok(Answer { status, body, kept: !close })
    }

    fn exactly(&mut self, length: usize, until: Instant) -> Result<Vec<u8>, Outcome> {
        if length > MOST_BODY {
            return Err(Outcome::Broken);
        }
        while self.held.len() < length {
            if !self.more(until)? {
                return Err(Outcome::Broken);
            }
        }
        Ok(self.held.drain(..length).collect())
    }

    fn chunks(&mut self, until: Instant) -> Result<Vec<u8>, Outcome> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = find(&self.held, b"\r\n") {
                    break at;
                }
                if self.held.len() > MOST_HEADER || !self.more(until)? {
                    return Err(Outcome::Broken);
                }
            };
            let line: Vec<u8> = self.held.drain(..end + 2).collect();
            let digits = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(digits.trim().split(';').next().unwrap_or(""), 16).map_err(|_| Outcome::Broken)?;
            if body.len() + size > MOST_BODY {
                return Err(Outcome::Broken);
            }
            let chunk = self.exactly(size + 2, until)?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    /// Read on; false at the end of the stream.
    fn more(&mut self, until: Instant) -> Result<bool, Outcome> {
        self.stream.set_read_timeout(Some(left(until)?)).map_err(|_| Outcome::Broken)?;
        let mut buffer = [0; 8192];
        let count = self.stream.read(&mut buffer).map_err(|error| outcome(error.kind()))?;
        self.held.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }
}

fn outcome(kind: ErrorKind) -> Outcome {
    match kind {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Outcome::Timeout,
        _ => Outcome::Broken,
    }
}

fn find(data: &[u8], wanted: &[u8]) -> Option<usize> {
    data.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Duration;

    fn answered(text: &'static str) -> Result<Answer, Outcome> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            stream.write_all(text.as_bytes()).unwrap();
        });
        let until = Instant::now() + Duration::from_secs(5);
        let request = Request { method: "GET".into(), path: "/".into(), body: String::new() };
        let answer = connect(host, until).and_then(|mut connection| connection.exchange(&request, until));
        server.join().unwrap();
        answer
    }

    #[test]
    fn an_answer_with_a_length_is_whole() {
        let answer = answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.kept), (200, &b"hello"[..], true));
    }

    #[test]
    fn an_answer_in_chunks_is_whole() {
        let answer = answered(
            "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        )
        .unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.kept), (503, &b"hello"[..], false));
    }

    #[test]
    fn what_is_cut_off_or_no_http_is_broken() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
            "hello\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ] {
            assert_eq!(answered(text).err(), Some(Outcome::Broken), "{text:?}");
        }
    }

    #[test]
    fn a_deadline_that_is_over_is_a_timeout() {
        let host = "127.0.0.1:9".parse().unwrap();
        assert_eq!(connect(host, Instant::now()).err(), Some(Outcome::Timeout));
    }
}
