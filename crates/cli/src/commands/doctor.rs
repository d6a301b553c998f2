//! `reception doctor`.

use std::time::Duration;

use reception::{Client, Clock, Error, ErrorKind, Probe};
use serde::Serialize;

use crate::{
    exit::{FAILED, Outcome},
    output::{Ink, Output, Say, one_line},
};

/// A renewal must fit several times into a lease, with its retries: beyond this part of it an answer is too slow.
const SLOW_PART: u32 = 10;

/// What was looked at and what was found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    ok: bool,
    detail: String,
    advice: Option<String>,
}

impl Finding {
    fn good(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, ok: true, detail: detail.into(), advice: None }
    }

    fn bad(check: &'static str, detail: impl Into<String>, advice: &str) -> Self {
        Self { check, ok: false, detail: detail.into(), advice: Some(advice.to_owned()) }
    }

    fn unasked(check: &'static str, why: &str) -> Self {
        Self { check, ok: false, detail: format!("not known: {why}"), advice: None }
    }
}

impl Say for Finding {
    fn text(&self, ink: Ink) -> String {
        let mark = if self.ok { ink.green("ok ") } else { ink.red("bad") };
        let advice = self.advice.as_deref().map(|advice| format!("\n      {advice}")).unwrap_or_default();
        format!("{mark} {}: {}{advice}", self.check, one_line(&self.detail))
    }
}

pub(super) async fn carry_out(client: &dyn Client, output: &Output) -> Outcome {
    let before = Clock::BOOT.now();
    let answer = client.probe().await;
    let clock = clock(Clock::BOOT.now().saturating_since(before));
    let mut findings = match answer {
        Ok(probe) => answered(client, &probe),
        Err(error) => silent(&error),
    };
    findings.push(clock);
    let mut code = 0;
    for finding in &findings {
        output.say(finding).await?;
        if !finding.ok {
            code = FAILED;
        }
    }
    Ok(code)
}

/// The store answered, at one endpoint at least.
fn answered(client: &dyn Client, probe: &Probe) -> Vec<Finding> {
    let server = probe.server.as_deref().unwrap_or_else(|| client.backend());
    let version = probe.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let identity = probe.identity.as_deref().map_or_else(
        || "none needed, none given".to_owned(),
        |identity| format!("the store takes us for {identity}"),
    );
    vec![
        reach(probe),
        Finding::good("version", format!("{server}{version}")),
        Finding::good("credentials", identity),
        limits(client, probe),
        latency(client, probe),
    ]
}

fn reach(probe: &Probe) -> Finding {
    let told = |(address, outcome): (&String, &Result<Duration, Error>)| match outcome {
        Ok(latency) => format!("{address} in {}", millis(*latency)),
        Err(error) => format!("{address} not: {error}"),
    };
    let all: Vec<_> = probe.endpoints.iter().map(|endpoint| (&endpoint.address, &endpoint.outcome)).collect();
    let good = all.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    let mut finding = Finding::good("reach", all.into_iter().map(told).collect::<Vec<_>>().join(", "));
    if good < probe.endpoints.len() {
        // Usable all the same: the others answer.
        finding.advice =
            Some("start the endpoints that did not answer, or take them out of the URL".to_owned());
    }
    finding
}

fn limits(client: &dyn Client, probe: &Probe) -> Finding {
    let bound = client.capabilities().crash_bound;
    let mut detail = match probe.lease {
        Some(lease) => format!("leases of {lease:?} granted; "),
        None => String::new(),
    };
    if bound.is_zero() {
        detail.push_str("a dead process is forgotten at once");
    } else if bound == Duration::MAX {
        detail.push_str("a dead process is never forgotten");
    } else {
        detail.push_str(&format!("a dead process is forgotten within {bound:?}"));
    }
    for note in &probe.notes {
        detail.push_str(&format!("; {note}"));
    }
    Finding::good("limits", detail)
}

fn latency(client: &dyn Client, probe: &Probe) -> Finding {
    let lease = probe.lease.unwrap_or(client.capabilities().crash_bound);
    let answers = probe.endpoints.iter().filter_map(|endpoint| endpoint.outcome.as_ref().ok());
    let Some(slowest) = answers.max().copied() else {
        return Finding::good("latency", "no server to wait for");
    };
    if !lease.is_zero() && slowest > lease / SLOW_PART {
        let detail = format!("the slowest answer took {} of a lease of {lease:?}", millis(slowest));
        return Finding::bad("latency", detail, "raise ?ttl= so that a renewal fits into it ten times");
    }
    Finding::good("latency", format!("the slowest answer took {}", millis(slowest)))
}

fn millis(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1_000.0)
}

/// Deadlines are read from the clock that runs on while the machine sleeps; some of it must have passed during a call.
fn clock(passed: Duration) -> Finding {
    if passed.is_zero() {
        let advice = "deadlines need a running boot-time clock: do not stand for election on this machine";
        return Finding::bad("clock", "the clock does not run", advice);
    }
    Finding::good("clock", "the clock that deadlines are read from runs")
}

/// The store did not answer, or refused us.
fn silent(error: &Error) -> Vec<Finding> {
    let refused = matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unauthenticated);
    let why = if refused { "the store refused us" } else { "the store did not answer" };
    let (reach, credentials) = if refused {
        let advice =
            "check the token, or the user and password, in the URL or the file it names, and what they allow";
        let reach = Finding::good("reach", "the store answered, and refused us");
        (reach, Finding::bad("credentials", error.to_string(), advice))
    } else {
        let advice = "check that the store runs, and host, port and tls in the URL";
        (Finding::bad("reach", error.to_string(), advice), Finding::unasked("credentials", why))
    };
    let unasked = ["limits", "latency"].map(|check| Finding::unasked(check, why));
    [reach, Finding::unasked("version", why), credentials].into_iter().chain(unasked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_refuses_us_is_not_said_to_be_silent() {
        for (kind, refuses) in [
            (ErrorKind::Denied, true),
            (ErrorKind::Unauthenticated, true),
            (ErrorKind::Unavailable, false),
            (ErrorKind::Timeout, false),
        ] {
            let findings = silent(&Error::new(kind, "x", "probe", "why"));
            assert_eq!(
                findings.iter().any(|finding| finding.detail.contains("refused us")),
                refuses,
                "{kind}"
            );
            assert_eq!(findings.iter().any(|finding| finding.detail.contains("did not answer")), !refuses);
            assert_eq!(findings.iter().any(|finding| finding.check == "reach" && finding.ok), refuses);
        }
    }
}
