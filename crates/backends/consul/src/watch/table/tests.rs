use super::*;
use crate::layout::Layout;

fn row(node: &str, id: &str, port: u16, status: &str) -> String {
    format!(
        r#"{{"Node":{{"Node":"{node}","Address":"10.0.0.9"}},"Service":{{"ID":"{id}","Service":"api","Tags":["}}]"],"Address":"","Port":{port},"Meta":{{"zone":"a\"]"}},"Weights":{{"Passing":1}},"CreateIndex":7}},"Checks":[{{"CheckID":"c","Status":"{status}"}}]}}"#
    )
}

fn list(rows: &[String]) -> Vec<u8> {
    format!("[{}]", rows.join(", ")).into_bytes()
}

fn table() -> Table {
    Table::new(&ServiceName::new("api").unwrap(), &Names::new("", Layout::Native))
}

fn ids(changes: &Changes) -> (Vec<&str>, Vec<&str>) {
    (changes.0.iter().map(|s| s.id().as_str()).collect(), changes.1.iter().map(ServiceId::as_str).collect())
}

#[test]
fn one_change_is_one_change() {
    let mut table = table();
    let mut rows: Vec<String> = (0..40).map(|at| row("n", &format!("i{at:02}"), 80, "passing")).collect();
    assert_eq!(table.take("t", &list(&rows), None).unwrap().0.len(), 40);
    assert_eq!(ids(&table.take("t", &list(&rows), None).unwrap()), (vec![], vec![]));
    rows[7] = row("n", "i07", 81, "passing");
    assert_eq!(ids(&table.take("t", &list(&rows), None).unwrap()), (vec!["i07"], vec![]));
    rows.remove(20);
    rows.insert(3, row("n", "i02x", 80, "passing"));
    assert_eq!(ids(&table.take("t", &list(&rows), None).unwrap()), (vec!["i02x"], vec!["i20"]));
    rows.reverse();
    assert_eq!(ids(&table.take("t", &list(&rows), None).unwrap()), (vec![], vec![]));
    assert_eq!(table.take("t", b"[]", None).unwrap().1.len(), 40);
    assert!(table.snapshot(1).is_empty());
}

#[test]
fn what_a_check_says_moves_the_status() {
    let mut table = table();
    table.take("t", &list(&[row("n", "one", 80, "passing")]), None).unwrap();
    let changes = table.take("t", &list(&[row("n", "one", 80, "critical")]), None).unwrap();
    assert_eq!(changes.0[0].status(), reception_core::Status::Down);
    assert_eq!((changes.0[0].address(), changes.0[0].attribute("tags")), ("10.0.0.9", Some("}]")));
}

#[test]
fn of_one_id_at_two_nodes_ours_keeps_it() {
    let mut table = table();
    let both = [row("n1", "one", 80, "passing"), row("n2", "one", 81, "passing")];
    table.take("t", &list(&both), Some("n2")).unwrap();
    let shown: Vec<String> = table.snapshot(1).iter().map(|s| s.id().to_string()).collect();
    assert_eq!(shown, ["one", "one@n1"]);
    let changes = table.take("t", &list(&both[..1]), Some("n2")).unwrap();
    assert_eq!(ids(&changes), (vec!["one"], vec!["one@n1"]));
    let changes = table.take("t", &list(&both), Some("n2")).unwrap();
    assert_eq!(ids(&changes), (vec!["one", "one@n1"], vec![]));
}

#[test]
fn names_follow_when_our_node_is_known_later() {
    let mut table = table();
    let both = [row("n1", "one", 80, "passing"), row("n2", "one", 81, "passing")];
    table.take("t", &list(&both), None).unwrap();
    assert!(table.is_tangled());
    let shown = |table: &Table| -> Vec<String> {
        table.snapshot(1).iter().map(|s| format!("{} {:?}", s.id(), s.port())).collect()
    };
    assert_eq!(shown(&table), ["one Some(80)", "one@n2 Some(81)"]);
    assert_eq!(ids(&table.rename("n2")), (vec!["one", "one@n1"], vec!["one@n2"]));
    assert_eq!(shown(&table), ["one Some(81)", "one@n1 Some(80)"]);
    assert_eq!(ids(&table.rename("n2")), (vec![], vec![]));
}

#[test]
fn what_cannot_be_named_is_counted() {
    let mut table = table();
    let long = "n".repeat(1024);
    let both = [row("n1", "one", 80, "passing"), row(&long, "one", 81, "passing")];
    table.take("t", &list(&both), Some("n1")).unwrap();
    assert_eq!((table.snapshot(1).len(), table.unreadable()), (1, 1));
    table.take("t", &list(&both[..1]), Some("n1")).unwrap();
    assert_eq!((table.snapshot(1).len(), table.unreadable()), (1, 0));
}

/// An id is the service's name unless it is set, so other programs have one id at all nodes.
#[test]
fn one_id_at_very_many_nodes_is_read_in_time() {
    const MANY: usize = 100_000;
    let mut table = table();
    let rows: Vec<String> = (0..MANY).map(|at| row(&format!("n{at}"), "api", 80, "passing")).collect();
    let begun = tokio::time::Instant::now();
    table.take("t", &list(&rows), Some("n7")).unwrap();
    assert_eq!((table.snapshot(1).len(), table.unreadable()), (MANY, 0));
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "took {:?}", begun.elapsed());
}

#[test]
fn a_registration_that_moved_is_shown_once_where_it_lives() {
    let mut table = table();
    let marked = |node: &str, port: u16, mark: &str, status: &str| {
        row(node, "one", port, status)
            .replace("\"zone\"", &format!("\"reception-owner\":\"{mark}\",\"zone\""))
    };
    let old = marked("n1", 80, "x", "critical");
    table.take("t", &list(&[old.clone(), marked("n2", 80, "x", "passing")]), Some("n1")).unwrap();
    let shown = |table: &Table| -> Vec<String> {
        let told = |one: &Service| format!("{} {:?}", one.id(), one.status());
        table.snapshot(1).iter().map(told).collect()
    };
    assert_eq!((shown(&table), table.unreadable()), (vec!["one Up".to_owned()], 0));
    table.take("t", &list(&[old.clone(), marked("n2", 81, "y", "passing")]), Some("n2")).unwrap();
    assert_eq!(shown(&table), ["one Up", "one@n1 Down"]);
    table.take("t", &list(&[old.clone(), marked("n2", 81, "x", "passing")]), Some("n2")).unwrap();
    assert_eq!((shown(&table), table.unreadable()), (vec!["one Up".to_owned()], 0));
    table.take("t", &list(&[old]), Some("n2")).unwrap();
    assert_eq!((shown(&table), table.unreadable()), (vec!["one Down".to_owned()], 0));
}

#[test]
fn nonsense_is_told_and_changes_nothing() {
    let mut table = table();
    let good = list(&[row("n", "one", 80, "passing")]);
    table.take("t", &good, None).unwrap();
    for bad in [&b"<html>"[..], b"{}", b"", b"[{\"Node\":", b"[1]", &good[..good.len() - 1]] {
        assert!(table.take("t", bad, None).is_err(), "{}", String::from_utf8_lossy(bad));
        assert_eq!(table.snapshot(1).len(), 1);
    }
    table.take("t", b"[{\"Node\":7}]", None).unwrap();
    assert_eq!((table.snapshot(1).len(), table.unreadable()), (0, 1));
    table.take("t", b" null", None).unwrap();
    assert_eq!(table.unreadable(), 0);
}
