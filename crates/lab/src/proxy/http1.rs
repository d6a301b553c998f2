//! The requests that a client of HTTP/1 sends: a line, headers, then a body of the length that they tell.

/// More of one head is not kept.
const HEAD: usize = 64 << 10;

/// Takes one connection's way to the server apart.
#[derive(Debug, Default)]
pub(crate) struct Http1 {
    /// The head that has begun.
    head: Vec<u8>,
    /// What is still to come of the body.
    rest: usize,
}

impl Http1 {
    /// The method and target of each request whose head ends in these bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut requests = Vec::new();
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            self.head.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            if self.head.ends_with(b"\r\n\r\n") || self.head.len() > HEAD {
                let head = std::mem::take(&mut self.head);
                let head = String::from_utf8_lossy(&head);
                self.rest = length(&head);
                requests.extend(target(&head));
            }
        }
        requests
    }
}

fn target(head: &str) -> Option<String> {
    let (asked, version) = head.lines().next()?.rsplit_once(' ')?;
    version.starts_with("HTTP/").then(|| asked.to_owned())
}

fn length(head: &str) -> usize {
    let told = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    told.and_then(|value| value.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_however_they_are_cut() {
        let bytes =
            b"GET /v1/a?index=3 HTTP/1.1\r\nHost: x\r\n\r\nPUT /v1/b HTTP/1.1\r\ncontent-length: 21\r\n\r\n\
            GET /c HTTP/1.1\r\n\r\n12PUT /v1/d HTTP/1.1\r\n\r\n";
        for size in [1, 3, 7, bytes.len()] {
            let mut http = Http1::default();
            let told: Vec<String> = bytes.chunks(size).flat_map(|chunk| http.feed(chunk)).collect();
            assert_eq!(told, ["GET /v1/a?index=3", "PUT /v1/b", "PUT /v1/d"], "{size}");
        }
    }
}
