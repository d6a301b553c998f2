//! `leader`.

use serde_json::json;

use crate::{case, case::Case, ground::Ground};

pub(crate) const CASES: &[Case] = &[
    case!(without_a_leader_the_code_is_4, Elections),
    case!(a_leader_is_shown_with_its_token, Elections, Sharing),
    case!(following_shows_the_present_state_first, Elections),
    case!(following_shows_each_leader, Elections, Sharing),
    case!(a_leader_of_another_program_has_a_value, Elections, Strangers),
];

async fn without_a_leader_the_code_is_4(ground: &Ground) {
    ground.leader().await.quietly(4);
}

async fn a_leader_is_shown_with_its_token(ground: &Ground) {
    let (run, token) = ground.elected("c1", "--port 7 --attr zone=b").await;
    let service = json!({
        "name": "nightly", "id": "c1", "address": "127.0.0.1", "port": 7, "status": "up",
        "attributes": {"zone": "b"},
    });
    let leader = ground.leader().await;
    assert_eq!((leader.code, leader.json()), (0, vec![json!({"service": service, "token": token})]));
    let text = ground.call("leader nightly").text().end().await;
    let (domain, value) = (token["domain"].as_str().expect("a domain"), &token["value"]);
    assert_eq!(text.out, [format!("c1 127.0.0.1:7 {domain}:{value}")]);
    run.stop().await;
    ground.leader().await.quietly(4);
}

async fn following_shows_the_present_state_first(ground: &Ground) {
    let mut follow = ground.call("leader nightly --follow").start();
    assert_eq!(follow.next().await, json!({"event": "vacant"}));
    follow.stop().await.quietly(0);
}

async fn following_shows_each_leader(ground: &Ground) {
    let mut follow = ground.call("leader nightly --follow").start();
    follow.event("vacant").await;
    let mut before = 0;
    for id in ["c1", "c2"] {
        let (run, token) = ground.elected(id, "").await;
        let leader = follow.next().await;
        let service = json!({
            "name": "nightly", "id": id, "address": "127.0.0.1", "port": 1, "status": "up", "attributes": {},
        });
        assert_eq!(leader, json!({"event": "leader", "service": service, "token": token}));
        let value = token["value"].as_u64().expect("a number");
        assert!(value > before, "tokens rise: {value} after {before}");
        before = value;
        let mut late = ground.call("leader nightly --follow").start();
        assert_eq!(late.next().await, leader);
        run.stop().await;
        assert_eq!(follow.next().await, json!({"event": "vacant"}));
    }
    follow.stop().await.quietly(0);
}

async fn a_leader_of_another_program_has_a_value(ground: &Ground) {
    let _stranger = ground.store.stranger("nightly", "\u{1b}[2Jhost-7").await.expect("a stranger");
    let ended = ground.leader().await;
    let leader = &ended.json()[0];
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(*leader, json!({"service": null, "token": leader["token"], "value": "\u{1b}[2Jhost-7"}));
    let text = ground.call("leader nightly").text().end().await;
    assert!(text.out[0].starts_with("\\u{1b}[2Jhost-7 "), "{text:?}");
    let mut follow = ground.call("leader nightly --follow").start();
    assert_eq!(follow.event("leader").await["value"], "\u{1b}[2Jhost-7");
}
