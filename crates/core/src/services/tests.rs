//! Against an ordered map of the standard library, and the shape of the tree after each step.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;

type Model = BTreeMap<String, u16>;

fn id(number: u16) -> String {
    format!("i{number:05}")
}

fn service(number: u16, port: u16) -> Service {
    Service::builder("api", "h", port).id(&id(number)).build().unwrap()
}

fn set(model: &Model) -> Services {
    Services::new(model.iter().map(|(id, port)| Service::builder("api", "h", *port).id(id).build().unwrap()))
}

/// How deep the leaves are, after a look at every node.
fn depth(node: &Node, is_root: bool) -> usize {
    let least = if is_root { 0 } else { LEAST };
    assert!((least..=MOST).contains(&node.width()), "a node of {} entries", node.width());
    match node {
        Node::Leaf(_) => 0,
        Node::Branch(children) => {
            assert!(children.len() > 1, "a branch with an only child");
            let depths: Vec<_> = children.iter().map(|child| depth(child, false)).collect();
            assert!(depths.windows(2).all(|pair| pair[0] == pair[1]), "leaves at {depths:?}");
            depths[0] + 1
        }
    }
}

fn check(set: &Services, model: &Model) {
    depth(&set.root, true);
    assert_eq!(set.len(), model.len());
    assert_eq!(set.iter().size_hint(), (model.len(), Some(model.len())));
    let seen = set.iter().map(|service| (service.id().as_str(), service.port().map_or(0, Into::into)));
    assert!(seen.eq(model.iter().map(|(id, port)| (id.as_str(), *port))), "other members, or another order");
    for id in model.keys() {
        assert_eq!(set.get(id).map(|service| service.id().as_str()), Some(id.as_str()));
        assert_eq!(set.get(&format!("{id}+")).map(Service::id), None);
    }
    assert!(set.get("").is_none() && set.get("z").is_none());
}

/// Changes as a patch has them: by id, and no id in both parts.
fn changed(set: &Services, changes: &BTreeMap<u16, Option<u16>>) -> Services {
    let put: Vec<_> = changes.iter().filter_map(|(id, port)| port.map(|port| service(*id, port))).collect();
    let gone = changes.iter().filter(|(_, port)| port.is_none());
    let gone: Vec<_> = gone.map(|(number, _)| ServiceId::new(&id(*number)).unwrap()).collect();
    set.changed(&put, &gone)
}

fn apply(model: &mut Model, changes: &BTreeMap<u16, Option<u16>>) {
    for (number, port) in changes {
        match port {
            Some(port) => drop(model.insert(id(*number), *port)),
            None => drop(model.remove(&id(*number))),
        }
    }
}

/// A few changes, thousands, or a stretch of ids that goes or comes as a whole.
fn step() -> impl Strategy<Value = BTreeMap<u16, Option<u16>>> {
    let port = || proptest::option::of(1_u16..4);
    let scattered =
        |most: usize| vec((0_u16..4000, port()), 0..most).prop_map(|pairs| pairs.into_iter().collect());
    let stretch = (0_u16..4000, 0_u16..2000, port());
    prop_oneof![
        4 => scattered(4),
        1 => scattered(3000),
        2 => stretch.prop_map(|(from, width, port)| (from..from + width).map(|id| (id, port)).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_changes_give_what_a_map_holds_and_leave_the_tree_before_as_it_was(
        begin in 0_u16..4000, steps in vec(step(), 1..12),
    ) {
        let mut model: Model = (0..begin).map(|number| (id(number), 9)).collect();
        let mut now = set(&model);
        check(&now, &model);
        for step in &steps {
            let (before, held) = (now.clone(), model.clone());
            now = changed(&now, step);
            apply(&mut model, step);
            check(&now, &model);
            check(&before, &held);
        }
    }

    #[test]
    fn instances_in_any_order_are_set_in_order_and_the_last_of_an_id_stays(
        pairs in vec((0_u16..500, 1_u16..9), 0..1500),
    ) {
        let model = pairs.iter().map(|(number, port)| (id(*number), *port)).collect();
        check(&Services::new(pairs.iter().map(|(number, port)| service(*number, *port))), &model);
    }
}

#[test]
fn one_by_one_in_and_out_keeps_the_tree_in_shape() {
    let order = |number: u16| number.wrapping_mul(7919) % 3000;
    let (mut model, mut now) = (Model::new(), Services::new([]));
    for round in [Some(1), Some(2), None] {
        for number in 0..3000 {
            let step = BTreeMap::from([(order(number), round)]);
            now = changed(&now, &step);
            apply(&mut model, &step);
            assert_eq!(now.len(), model.len());
            depth(&now.root, true);
        }
        check(&now, &model);
    }
    assert!(matches!(&now.root, Node::Leaf(services) if services.is_empty()));
}

#[test]
fn a_change_shares_every_leaf_but_one() {
    fn leaves_of<'a>(node: &'a Node, all: &mut Vec<&'a Arc<[Service]>>) {
        match node {
            Node::Leaf(services) => all.push(services),
            Node::Branch(children) => children.iter().for_each(|child| leaves_of(child, all)),
        }
    }
    let before = Services::new((0..10_000).map(|number| service(number, 1)));
    for changes in [(5000, Some(2)), (5000, None), (9_999, None), (0, Some(3))] {
        let after = changed(&before, &BTreeMap::from([changes]));
        let (mut old, mut new) = (Vec::new(), Vec::new());
        leaves_of(&before.root, &mut old);
        leaves_of(&after.root, &mut new);
        assert_eq!(old.len(), new.len());
        let own = old.iter().zip(&new).filter(|(old, new)| !Arc::ptr_eq(old, new));
        assert_eq!(own.count(), 1);
    }
}
