//! With the feature `serde`: names and dial URLs read strictly, tokens both ways, and no secret in an error.
#![cfg(feature = "serde")]

use reception_core::{DialUrl, FencingToken, ServiceName};

#[test]
fn a_dial_url_reads_from_a_configuration_file() {
    let url: DialUrl = serde_json::from_str("\"etcd://me:secret@h1:2379,h2/prod?ttl=3s\"").unwrap();
    assert_eq!((url.scheme(), url.hosts().len()), ("etcd", 2));
}

#[test]
fn a_dial_url_that_is_wrong_is_refused_without_its_secret() {
    let error = serde_json::from_str::<DialUrl>("\"etcd://me:canary@h1:0\"").unwrap_err().to_string();
    assert!(error.contains("port") && !error.contains("canary"), "{error}");
}

#[test]
fn a_token_and_a_name_read_back() {
    let token = FencingToken::new([7; 16], 42);
    let text = serde_json::to_string(&token).unwrap();
    assert_eq!(serde_json::from_str::<FencingToken>(&text).unwrap(), token);
    assert!(serde_json::from_str::<ServiceName>("\"a/b\"").is_err());
    assert_eq!(serde_json::from_str::<ServiceName>("\"api\"").unwrap().as_str(), "api");
}
