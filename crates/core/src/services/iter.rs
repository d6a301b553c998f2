//! All instances of a tree, in order.

use std::slice;

use super::Node;
use crate::service::Service;

/// What is left to be gone through.
pub(crate) struct Iter<'a> {
    left: usize,
    leaf: slice::Iter<'a, Service>,
    /// What comes after the leaf, the nearest last.
    above: Vec<slice::Iter<'a, Node>>,
}

impl<'a> Iter<'a> {
    pub(super) fn new(root: &'a Node, left: usize) -> Self {
        Self { left, leaf: [].iter(), above: vec![slice::from_ref(root).iter()] }
    }

    /// Goes to the next leaf; false when none is left.
    fn turn(&mut self) -> bool {
        while let Some(nodes) = self.above.last_mut() {
            match nodes.next() {
                Some(Node::Leaf(services)) => {
                    self.leaf = services.iter();
                    return true;
                }
                Some(Node::Branch(children)) => self.above.push(children.iter()),
                None => drop(self.above.pop()),
            }
        }
        false
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Service;

    fn next(&mut self) -> Option<&'a Service> {
        loop {
            if let Some(service) = self.leaf.next() {
                self.left = self.left.saturating_sub(1);
                return Some(service);
            }
            if !self.turn() {
                return None;
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}
