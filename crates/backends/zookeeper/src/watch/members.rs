//! Instances whose nodes the server numbers: which of several nodes of one id counts, and what weighs them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use reception_core::{Service, ServiceId};

use crate::layout::Layout;

/// What a change comes to.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) written: Vec<Service>,
    pub(super) gone: BTreeSet<ServiceId>,
}

/// The nodes of one service by their names, and what they show.
#[derive(Debug)]
pub(super) struct Members {
    layout: Arc<dyn Layout>,
    nodes: BTreeMap<ServiceId, (u32, Service)>,
    /// The nodes of each id, the one that counts first.
    lines: BTreeMap<ServiceId, BTreeSet<(u32, ServiceId)>>,
    weights: BTreeMap<ServiceId, Vec<u8>>,
    shown: BTreeMap<ServiceId, Service>,
    touched: BTreeSet<ServiceId>,
}

impl Members {
    pub(super) fn new(layout: &Arc<dyn Layout>) -> Self {
        Self {
            layout: Arc::clone(layout),
            nodes: BTreeMap::new(),
            lines: BTreeMap::new(),
            weights: BTreeMap::new(),
            shown: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Takes a node as it is now.
    pub(super) fn put(&mut self, child: &ServiceId, number: u32, service: Service) {
        self.remove(child);
        self.touched.insert(service.id().clone());
        self.lines.entry(service.id().clone()).or_default().insert((number, child.clone()));
        self.nodes.insert(child.clone(), (number, service));
    }

    pub(super) fn remove(&mut self, child: &ServiceId) {
        let Some((number, service)) = self.nodes.remove(child) else { return };
        if let Some(line) = self.lines.get_mut(service.id()) {
            line.remove(&(number, child.clone()));
            if line.is_empty() {
                self.lines.remove(service.id());
            }
        }
        self.touched.insert(service.id().clone());
    }

    /// Takes a record that weighs the nodes, or that it is gone.
    pub(super) fn weigh(&mut self, child: &ServiceId, record: Option<Vec<u8>>) {
        let before = match record {
            Some(record) => self.weights.insert(child.clone(), record.clone()).filter(|old| *old == record),
            None if self.weights.remove(child).is_some() => None,
            None => return,
        };
        if before.is_none() {
            self.touched.extend(self.lines.keys().cloned());
        }
    }

    /// What has changed in the view since the last call.
    pub(super) fn settle(&mut self) -> Change {
        let weights: Vec<&[u8]> = self.weights.values().map(Vec::as_slice).collect();
        let mut change = Change::default();
        for id in std::mem::take(&mut self.touched) {
            let first = self.lines.get(&id).and_then(BTreeSet::first);
            let first = first.and_then(|(_, child)| Some((child, &self.nodes.get(child)?.1)));
            let now =
                first.map(|(child, service)| self.layout.weigh(service.clone(), child.as_str(), &weights));
            match now {
                Some(service) if self.shown.get(&id) != Some(&service) => {
                    self.shown.insert(id, service.clone());
                    change.written.push(service);
                }
                Some(_) => {}
                None if self.shown.remove(&id).is_some() => drop(change.gone.insert(id)),
                None => {}
            }
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use reception_core::ServiceName;

    use super::*;
    use crate::layout::Serverset;

    fn put(members: &mut Members, number: u32, record: &str) {
        let name = ServiceName::new("api").unwrap();
        let child = ServiceId::foreign(&format!("member_{number:010}")).unwrap();
        let service = Serverset::default().decode(&name, &child, record.as_bytes()).unwrap();
        members.put(&child, number, service);
    }

    fn member(port: u16, id: &str) -> String {
        format!(
            r#"{{"serviceEndpoint":{{"host":"h1","port":{port}}},"additionalEndpoints":{{}},"status":"ALIVE","metadata":{{"reception-id":"{id}"}}}}"#
        )
    }

    fn ports(change: &Change) -> Vec<u16> {
        change.written.iter().map(|service| service.port().unwrap().get()).collect()
    }

    #[test]
    fn of_two_nodes_of_one_id_the_older_counts_and_the_younger_follows() {
        let layout: Arc<dyn Layout> = Arc::new(Serverset::default());
        let mut members = Members::new(&layout);
        put(&mut members, 7, &member(7, "one"));
        assert_eq!(ports(&members.settle()), [7]);
        put(&mut members, 9, &member(9, "one"));
        assert!(members.settle().written.is_empty());
        members.remove(&ServiceId::foreign("member_0000000007").unwrap());
        let change = members.settle();
        assert_eq!((ports(&change), change.gone.len()), (vec![9], 0));
        members.remove(&ServiceId::foreign("member_0000000009").unwrap());
        assert_eq!(members.settle().gone.len(), 1);
    }

    #[test]
    fn a_weight_that_comes_and_goes_changes_whom_it_selects() {
        let layout: Arc<dyn Layout> = Arc::new(Serverset::default());
        let mut members = Members::new(&layout);
        put(&mut members, 7, &member(7, "one"));
        put(&mut members, 8, &member(8, "two"));
        members.settle();
        let vector = ServiceId::foreign("vector_0000000001").unwrap();
        let record = br#"{"vector":[{"select":"inet=h1:8","weight":0.5,"priority":1}]}"#;
        members.weigh(&vector, Some(record.to_vec()));
        let change = members.settle();
        assert_eq!(change.written.len(), 1);
        assert_eq!(change.written[0].attribute("weight"), Some("0.5"));
        members.weigh(&vector, Some(record.to_vec()));
        assert!(members.settle().written.is_empty());
        members.weigh(&vector, None);
        assert_eq!(members.settle().written[0].attribute("weight"), None);
    }
}
