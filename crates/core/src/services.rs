//! The instances of a view by id: a persistent tree with wide nodes.
//!
//! A B-tree whose nodes are shared slices. A change copies one leaf and the branches above it, each of at most [`MOST`] pointers, and leaves the
//! rest to both trees. Sorted instances become a tree in one pass, at eight bytes an instance and a little for the nodes.

use std::{cmp::Ordering, sync::Arc};

use crate::{name::ServiceId, service::Service};

mod iter;
#[cfg(test)]
mod tests;

pub(crate) use iter::Iter;

/// Entries of a leaf and children of a branch. Wider nodes make a change dearer, narrower ones the tree larger.
const MOST: usize = 64;
/// Below this many a node is joined with its neighbour; the root alone may have fewer.
const LEAST: usize = 16;

/// An ordered set of instances, at most one of an id. A clone copies a pointer.
#[derive(Clone)]
pub(crate) struct Services {
    len: usize,
    root: Node,
}

/// All leaves are equally deep.
#[derive(Clone)]
enum Node {
    Leaf(Arc<[Service]>),
    Branch(Arc<[Self]>),
}

/// What is to change: both parts by id, no id in both.
#[derive(Clone, Copy)]
struct Changes<'a> {
    put: &'a [Service],
    gone: &'a [ServiceId],
}

impl Services {
    /// Of several instances with one id the last stays.
    pub(crate) fn new(services: impl IntoIterator<Item = Service>) -> Self {
        let mut list: Vec<Service> = services.into_iter().collect();
        if !list.is_sorted_by(|left, right| left.id() < right.id()) {
            list.reverse();
            list.sort_by(|left, right| left.id().cmp(right.id()));
            list.dedup_by(|later, first| later.id() == first.id());
        }
        Self { len: list.len(), root: rooted(leaves(list)) }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Service> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Branch(children) => node = children.get(place(children, id))?,
                Node::Leaf(services) => {
                    let at = services.binary_search_by(|service| service.id().as_str().cmp(id)).ok()?;
                    return services.get(at);
                }
            }
        }
    }

    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter::new(&self.root, self.len)
    }

    /// The set with those put in or replaced and those taken out. Both are by id, and no id stands in both.
    #[must_use]
    pub(crate) fn changed(&self, put: &[Service], gone: &[ServiceId]) -> Self {
        let changes = Changes { put, gone };
        if changes.is_empty() {
            return self.clone();
        }
        let mut len = self.len;
        let mut nodes = self.root.changed(changes, &mut len);
        settle(&mut nodes);
        Self { len, root: rooted(nodes) }
    }
}

impl Node {
    fn width(&self) -> usize {
        match self {
            Self::Leaf(services) => services.len(),
            Self::Branch(children) => children.len(),
        }
    }

    /// The least id below; only the root of an empty set has none.
    fn first(&self) -> Option<&str> {
        let mut node = self;
        loop {
            match node {
                Self::Branch(children) => node = children.first()?,
                Self::Leaf(services) => return services.first().map(|service| service.id().as_str()),
            }
        }
    }

    /// The nodes of the same height that take its place; they may be narrow, and none is left when all is gone.
    fn changed(&self, changes: Changes<'_>, len: &mut usize) -> Vec<Self> {
        match self {
            Self::Leaf(services) => {
                let merged = changes.merged(services);
                *len = *len - services.len() + merged.len();
                leaves(merged)
            }
            Self::Branch(children) => {
                let mut next = Vec::with_capacity(children.len() + 1);
                let (mut done, mut rest) = (0, changes);
                while let Some(id) = rest.first() {
                    let at = done + place(&children[done..], id);
                    next.extend_from_slice(&children[done..at]);
                    let (here, later) = rest.split(children.get(at + 1).and_then(Self::first));
                    next.extend(children[at].changed(here, len));
                    (done, rest) = (at + 1, later);
                }
                next.extend_from_slice(&children[done..]);
                settle(&mut next);
                branches(next)
            }
        }
    }

    /// One node or two of both, which are neighbours of one height.
    fn joined(&self, right: &Self) -> Vec<Self> {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => leaves([&**left, &**right].concat()),
            (Self::Branch(left), Self::Branch(right)) => {
                let mut children = [&**left, &**right].concat();
                // An only child may have been narrow.
                settle(&mut children);
                branches(children)
            }
            _ => vec![self.clone(), right.clone()],
        }
    }
}

impl<'a> Changes<'a> {
    fn is_empty(self) -> bool {
        self.put.is_empty() && self.gone.is_empty()
    }

    /// The least id among them.
    fn first(self) -> Option<&'a str> {
        let put = self.put.first().map(|service| service.id().as_str());
        let gone = self.gone.first().map(ServiceId::as_str);
        match (put, gone) {
            (Some(put), Some(gone)) => Some(put.min(gone)),
            (one, other) => one.or(other),
        }
    }

    /// Those before an id, and the others; all of them come before none.
    fn split(self, id: Option<&str>) -> (Self, Self) {
        let put =
            id.map_or(self.put.len(), |id| self.put.partition_point(|service| service.id().as_str() < id));
        let gone = id.map_or(self.gone.len(), |id| self.gone.partition_point(|gone| gone.as_str() < id));
        let (here, later) = (self.put.split_at(put), self.gone.split_at(gone));
        (Self { put: here.0, gone: later.0 }, Self { put: here.1, gone: later.1 })
    }

    /// The entries of a leaf after them.
    fn merged(self, services: &[Service]) -> Vec<Service> {
        let mut merged = Vec::with_capacity(services.len() + self.put.len());
        let mut old = services;
        let mut keep = |merged: &mut Vec<Service>, id: &str| {
            let (found, at) = match old.binary_search_by(|service| service.id().as_str().cmp(id)) {
                Ok(at) => (1, at),
                Err(at) => (0, at),
            };
            merged.extend_from_slice(&old[..at]);
            old = &old[at + found..];
        };
        let (mut put, mut gone) = (self.put.iter().peekable(), self.gone.iter().peekable());
        loop {
            let order = match (put.peek(), gone.peek()) {
                (Some(service), Some(id)) => service.id().cmp(id),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            if order == Ordering::Greater {
                gone.next().into_iter().for_each(|id| keep(&mut merged, id.as_str()));
            } else if let Some(service) = put.next() {
                keep(&mut merged, service.id().as_str());
                merged.push(service.clone());
            }
        }
        merged.extend_from_slice(old);
        merged
    }
}

/// The child that an id belongs under.
fn place(children: &[Node], id: &str) -> usize {
    let later = children.get(1..).unwrap_or_default();
    later.partition_point(|child| child.first().is_some_and(|first| first <= id))
}

fn leaves(services: Vec<Service>) -> Vec<Node> {
    split(services).map(Node::Leaf).collect()
}

fn branches(children: Vec<Node>) -> Vec<Node> {
    split(children).map(Node::Branch).collect()
}

/// As few pieces as can be, of one width but for one entry.
fn split<T>(list: Vec<T>) -> impl Iterator<Item = Arc<[T]>> {
    let (len, pieces) = (list.len(), list.len().div_ceil(MOST));
    let mut list = list.into_iter();
    (0..pieces).map(move |piece| {
        let width = (len + piece) / pieces;
        let mut part = Vec::with_capacity(width);
        part.extend(list.by_ref().take(width));
        part.into()
    })
}

/// Joins each narrow node with a neighbour, where there is one.
fn settle(nodes: &mut Vec<Node>) {
    let mut at = 0;
    while at < nodes.len() && nodes.len() > 1 {
        if nodes[at].width() >= LEAST {
            at += 1;
            continue;
        }
        let left = at.min(nodes.len() - 2);
        let joined = nodes[left].joined(&nodes[left + 1]);
        nodes.splice(left..left + 2, joined);
        at = left;
    }
}

/// The root over nodes of one height, none of them narrow.
fn rooted(mut nodes: Vec<Node>) -> Node {
    while nodes.len() > 1 {
        nodes = branches(nodes);
    }
    let mut root = nodes.pop().unwrap_or_else(|| Node::Leaf(Arc::new([])));
    while let Node::Branch(children) = &root
        && let [only] = &**children
    {
        root = only.clone();
    }
    root
}
