//! The Exhibitor and the ensemble of the lab, real ones.

use reception_lab::{Exhibitor, ExhibitorOptions, Listed, ZooKeeperEnsemble};

const LIST: &str = "/exhibitor/v1/cluster/list";
const JSON: (&str, &str) = ("Accept", "application/json");

#[tokio::test]
async fn it_lists_what_it_is_told_and_starts_again_with_it() {
    let exhibitor = Exhibitor::start(Listed::new(["127.0.0.1", "127.0.0.2"], 12181)).await.unwrap();
    let form = exhibitor.ask(LIST, &[("Accept", "application/x-www-form-urlencoded")]).await.unwrap();
    assert_eq!(form.body, "count=2&server0=127.0.0.1&server1=127.0.0.2&port=12181");
    exhibitor.list(Listed::new(["127.0.0.3"], 12182)).await.unwrap();
    exhibitor.restart().await.unwrap();
    let json = exhibitor.ask(LIST, &[JSON]).await.unwrap();
    assert_eq!(json.body, r#"{"servers":["127.0.0.3"],"port":12182}"#);
}

#[tokio::test]
async fn only_its_user_is_let_in() {
    let options = ExhibitorOptions::default().login("app", "sesame");
    let exhibitor = Exhibitor::start_with(Listed::new(["127.0.0.1"], 2181), options).await.unwrap();
    assert_eq!(exhibitor.ask(LIST, &[JSON]).await.unwrap().status, 401);
}

#[tokio::test]
async fn an_ensemble_has_one_leader_and_survives_the_end_of_a_member() {
    let ensemble = ZooKeeperEnsemble::start(3).await.unwrap();
    let mut leaders = 0;
    for at in 0..ensemble.len() {
        leaders += usize::from(ensemble.word(at, "srvr").await.unwrap().contains("Mode: leader"));
    }
    assert_eq!(leaders, 1);
    ensemble.member(2).kill();
    ensemble.restart(2).await.unwrap();
}
