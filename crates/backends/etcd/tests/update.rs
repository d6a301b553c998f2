//! What somebody adds to a record stays when its owner writes it again (`docs/wire/record.md`, "Updating").

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use etcd_client::{Client as Direct, PutOptions};
use reception_core::{ClientExt, Dialer, RegistrationState, Service};
use reception_lab::Etcd;

const KEY: &str = "test/services/api/one";

async fn stored(store: &mut Direct) -> String {
    let answer = store.get(KEY, None).await.unwrap();
    String::from_utf8(answer.kvs().first().unwrap().value().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_keeps_the_fields_that_an_operator_added() {
    let etcd = Etcd::start().await.unwrap();
    let mut store = Direct::connect([etcd.endpoint().to_string()], None).await.unwrap();
    let url = format!("etcd://{}/test?ttl=5s", etcd.endpoint());
    let client = Dialer::new().with(reception_etcd::BACKEND).unwrap().dial(&url).await.unwrap();
    let api = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let registration = client.register(api.clone()).await.unwrap();
    assert_eq!(stored(&mut store).await, r#"{"v":1,"address":"10.0.0.7","port":8080}"#);

    for round in 1..4 {
        let noted = format!(r#"{{"v":1,"address":"10.0.0.7","port":8080,"x-note":{{"round": {round}}}}}"#);
        store.put(KEY, noted, Some(PutOptions::new().with_ignore_lease())).await.unwrap();
        for port in [9090, 9091] {
            registration.update(api.to_builder().port(port).build().unwrap()).await.unwrap();
            let wanted =
                format!(r#"{{"v":1,"address":"10.0.0.7","port":{port},"x-note":{{"round": {round}}}}}"#);
            assert_eq!(stored(&mut store).await, wanted);
        }
    }
    assert!(matches!(registration.state(), RegistrationState::Active), "{:?}", registration.state());
    registration.close().await.unwrap();
    assert!(store.get(KEY, None).await.unwrap().kvs().is_empty());
    client.close().await.unwrap();
}
