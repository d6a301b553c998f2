//! Standing: the key of a candidate, the domain of its token, and who stands before it.

use etcd_client::{
    Compare, CompareOp, GetOptions, KeyValue, PutOptions, SortOrder, SortTarget, Txn, TxnOp, TxnOpResponse,
};
use reception_core::{ErrorKind, Result};
use uuid::Uuid;

use super::{Candidacy, Key, OPERATION};
use crate::{
    error::error,
    layout::{end_of, read_domain, write_domain},
    session::reads,
};

/// What a look at the election shows.
pub(super) enum Turn {
    /// Nobody stands before us.
    Ours,
    /// This one stands before us.
    After(Vec<u8>),
    /// Our key is gone.
    Gone,
}

impl Candidacy {
    /// Puts the key and the domain, or finds them put: one transaction, so that nobody sees a candidate without a domain.
    pub(super) async fn stand(&mut self, lease: i64) -> Result<Key> {
        let own = self.session.layout.candidate(&self.election, lease);
        let domain = write_domain(*Uuid::new_v4().as_bytes());
        let stand = put_or_get(&own, &self.value, Some(PutOptions::new().with_lease(lease)));
        let found = put_or_get(&self.session.layout.domain(), domain.as_bytes(), None);
        let txn = Txn::new().and_then([TxnOp::txn(stand), TxnOp::txn(found)]);
        let answer = self.session.txn(OPERATION, self.session.brief(), txn).await?;
        let now = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
        let mut stood = answer.op_responses().into_iter().map(|part| match part {
            TxnOpResponse::Txn(part) => {
                reads(&part).into_iter().next().and_then(|mut read| read.take_kvs().pop())
            }
            _ => None,
        });
        let (own, found) = (stood.next().flatten(), stood.next().flatten());
        self.domain = read_domain(Some(found.as_ref().map_or(domain.as_bytes(), KeyValue::value)));
        if self.domain == [0; 16] {
            let text = format!("{} does not hold 32 hex digits", self.session.layout.domain());
            return Err(error(ErrorKind::Protocol, OPERATION, text));
        }
        Ok(Key { created: own.map_or(now, |own| own.create_revision()), known: now })
    }

    /// Looks at our key and at the one before it, at one revision.
    pub(super) async fn turn(&mut self, lease: i64, key: Key) -> Result<Turn> {
        let prefix = self.session.layout.candidates(&self.election);
        let own = self.session.layout.candidate(&self.election, lease);
        let before = GetOptions::new()
            .with_range(end_of(&prefix))
            .with_max_create_revision(key.created - 1)
            .with_sort(SortTarget::Create, SortOrder::Descend)
            .with_limit(1)
            .with_keys_only();
        let own = TxnOp::get(own, Some(GetOptions::new().with_keys_only()));
        let txn = Txn::new().and_then([own, TxnOp::get(prefix, Some(before))]);
        let answer = self.session.txn(OPERATION, self.session.brief(), txn).await?;
        let mut read = reads(&answer).into_iter().map(|mut read| read.take_kvs().into_iter().next());
        let (own, before) = (read.next().flatten(), read.next().flatten());
        let known = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
        if own.is_none_or(|own| own.create_revision() != key.created) {
            self.key = None;
            return Ok(Turn::Gone);
        }
        self.key = Some(Key { known, ..key });
        Ok(before.map_or(Turn::Ours, |before| Turn::After(before.key().to_vec())))
    }
}

/// Puts a key that is not there; reads one that is.
fn put_or_get(key: &str, value: &[u8], options: Option<PutOptions>) -> Txn {
    Txn::new()
        .when([Compare::create_revision(key, CompareOp::Equal, 0)])
        .and_then([TxnOp::put(key, value, options)])
        .or_else([TxnOp::get(key, None)])
}
