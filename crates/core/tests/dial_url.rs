//! The URL parser: what it takes, and what it refuses without repeating a secret.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::{str::FromStr as _, time::Duration};

use reception_core::{Backend, DialUrl, Dialer, ErrorKind, Opt, OptionSpec};

const TTL: Opt<Duration> = Opt::new("ttl", "time to live").default("10s");
const CERT: Opt<String> = Opt::new("cert", "certificate").requires(&["key"]);
const KEY: Opt<String> = Opt::new("key", "key").requires(&["cert"]);
const OPTIONS: &[OptionSpec] = &[TTL.spec(), CERT.spec(), KEY.spec()];

fn parse(text: &str) -> DialUrl {
    DialUrl::from_str(text).expect(text)
}

fn refusal(text: &str) -> String {
    let error = DialUrl::from_str(text).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::Config, "{text}");
    error.to_string()
}

#[test]
fn several_hosts_a_user_and_options_are_taken_apart() {
    let url = parse("etcd+https://me:p%40ss@h1:2379,[::1]:2380,h3/prod/eu?ttl=3s&tls");
    assert_eq!(url.scheme(), "etcd+https");
    assert_eq!(url.hosts(), ["h1:2379", "[::1]:2380", "h3"]);
    assert_eq!(url.path(), "/prod/eu");
    assert_eq!(url.namespace().ok().as_deref(), Some("prod/eu"));
    let (user, secret) = url.user().expect("a user");
    assert_eq!((user, secret.map(reception_core::Secret::expose)), ("me", Some("p@ss")));
    assert_eq!(url.get(&TTL).ok().flatten(), Some(Duration::from_secs(3)));
}

#[test]
fn schemes_without_an_authority_are_taken() {
    assert_eq!(parse("memory:").hosts(), [""; 0]);
    assert_eq!(parse("memory://demo").hosts(), ["demo"]);
    assert_eq!(parse("local:///some/folder").path(), "/some/folder");
    assert_eq!(parse("static://h1:80,h2:80/?name=api").hosts().len(), 2);
}

#[test]
fn what_is_wrong_is_refused_before_any_io() {
    for text in [
        "",
        "127.0.0.1:2379",
        "memory:x",
        "etcd:127.0.0.1:2379",
        "etcd",
        "://h",
        "1etcd://h",
        "et cd://h",
        "etcd://h1,,h2",
        "etcd://,",
        "etcd://h:0",
        "etcd://h:65536",
        "etcd://h:",
        "etcd://::1:2379",
        "etcd://[::1",
        "etcd://[nonsense]:1",
        "etcd://h1,h1",
        "etcd://@h1",
        "etcd://u@",
        "etcd://h/#x",
        "etcd://h/a b",
        "etcd://h/%zz",
        "etcd://h/%ff",
        "etcd://h/?ttl=1s&ttl=2s",
        "etcd://h/?T=1",
        "etcd://h/?=1",
        "etcd://h/a\nb",
        "etcd://h/%00",
        "etcd://a b/",
        "etcd://http://h:1",
    ] {
        refusal(text);
    }
}

#[test]
fn a_namespace_is_normalised_or_refused() {
    assert_eq!(parse("etcd://h//a//b/").namespace().ok().as_deref(), Some("a/b"));
    assert_eq!(parse("etcd://h/").namespace().ok().as_deref(), Some(""));
    for text in ["etcd://h/../x", "etcd://h/a/.b", "etcd://h/a%2f..%2fb", "etcd://h/é"] {
        assert!(parse(text).namespace().is_err(), "{text}");
    }
}

#[test]
fn a_namespace_that_is_no_name_is_told_by_its_place() {
    let error = parse("etcd://h/prod/canary!").namespace().expect_err("no name");
    assert!(error.context().starts_with("segment 2 of the namespace is no name"), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
}

#[test]
fn no_text_repeats_a_secret() {
    let url = parse("etcd://me:canary@h1:1/x?password_file=canary&token=canary");
    assert!(!format!("{url} {url:?}").contains("canary"), "{url}");
    assert_eq!(url.to_string(), "etcd://me:***@h1:1/x?password_file=***&token=***");
    for text in [
        "etcd://me:canary/x@h1",
        "etcd://me:12/canary@h1/prod",
        "etcd://me:12/canary%40h1/prod",
        "etcd://me:canary%zz@h1",
        "etcd://h1/?token=canary&token=canary",
        "etcd://h1/?token=canary%zz",
        "etcd:me:canary@h1#",
        "etcd://h1:canary",
        "etcd://[canary]",
        "etcd://canary canary",
    ] {
        assert!(!refusal(text).contains("canary"), "{text}");
    }
}

#[test]
fn an_unknown_option_names_the_nearest_and_lists_all() {
    let error = parse("etcd://h/?tll=canary").check(OPTIONS).expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "dial on core: unknown option \"tll\", did you mean \"ttl\"? (options: ttl, cert, key) (configuration)"
    );
    let error = parse("etcd://h/?colour=red").check(OPTIONS).expect_err("unknown");
    assert_eq!(error.context(), "unknown option \"colour\" (options: ttl, cert, key)");
}

#[test]
fn a_half_given_pair_is_refused() {
    let error = parse("etcd://h/?cert=c").check(OPTIONS).expect_err("half");
    assert_eq!(error.context(), "option \"cert\" needs \"key\"");
    assert!(parse("etcd://h/?cert=c&key=k").check(OPTIONS).is_ok());
}

#[test]
fn a_value_of_the_wrong_kind_says_what_one_looks_like() {
    let error = parse("etcd://h/?ttl=10").get(&TTL).expect_err("no unit");
    assert_eq!(error.context(), "option \"ttl\" is a span such as 10s, 500ms or 2m, not \"10\"");
    assert_eq!(parse("etcd://h/").get(&TTL).ok().flatten(), Some(Duration::from_secs(10)));
}

#[tokio::test]
async fn two_claims_of_one_scheme_are_a_conflict_and_an_absent_backend_names_its_feature() {
    let dialer = Dialer::new().with(Backend::absent("etcd", &["etcd", "etcd+https"], "etcd")).expect("free");
    let taken = dialer.clone().with(Backend::absent("other", &["etcd"], "other")).expect_err("taken");
    assert_eq!(taken.kind(), ErrorKind::Conflict);
    let absent = dialer.dial("etcd://h1").await.expect_err("absent");
    assert_eq!(
        (absent.kind(), absent.context()),
        (ErrorKind::Unsupported, "scheme \"etcd\" is compiled out: turn the feature \"etcd\" on")
    );
    let unknown = dialer.dial("zk://h1").await.expect_err("unknown");
    assert_eq!(unknown.context(), "unknown scheme \"zk\" (schemes: etcd, etcd+https)");
}

proptest::proptest! {
    #[test]
    fn the_parser_never_panics(text in "\\PC{0,80}") {
        let _ = DialUrl::from_str(&text);
    }

    #[test]
    fn a_parsed_url_never_prints_what_stood_for_the_secret(secret in "[a-z0-9]{12}") {
        let url = parse(&format!("etcd://u:{secret}@h1:1/?x={secret}"));
        let shown = format!("{url} {url:?}");
        proptest::prop_assert!(!shown.contains(&secret));
    }
}
