//! When a connection is replaced, and when not.

use std::future::pending;

use reception_core::ErrorKind;

use super::*;

#[tokio::test]
async fn a_connection_that_did_not_answer_is_replaced_once() {
    let recipe = Recipe { url: "http://127.0.0.1:9".to_owned(), options: ConnectOptions::new() };
    let endpoint = Endpoint::dial("127.0.0.1:9".to_owned(), recipe, None).await.unwrap();
    let channel = || endpoint.place().clone().unwrap();
    let first = channel();
    endpoint.reconnect().await;
    assert!(Arc::ptr_eq(&first, &channel()), "one that answers stays");
    let silence = |_: &etcd_client::Client| pending::<Native<()>>();
    let error = endpoint.attempt("list", Duration::from_millis(10), &silence).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    endpoint.reconnect().await;
    let second = channel();
    assert!(!Arc::ptr_eq(&first, &second));
    // Another call that had timed out on the first one.
    endpoint.reconnect().await;
    assert!(Arc::ptr_eq(&second, &channel()));
    endpoint.hang_up();
    endpoint.reconnect().await;
    assert!(endpoint.place().is_none(), "a closed client connects no more");
}
