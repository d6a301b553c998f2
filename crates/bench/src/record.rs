//! The instances of a run: what we register, and the same bytes for who writes to the store directly.

use reception::{Service, ServiceName};

use crate::Result;

pub(crate) const SERVICE: &str = "svc";
/// Numbers from here on are instances that come and go while a run is measured.
pub(crate) const EXTRA: usize = 1_000_000;

pub(crate) fn name() -> Result<ServiceName> {
    Ok(ServiceName::new(SERVICE)?)
}

pub(crate) fn id(number: usize) -> String {
    format!("inst-{number:08}")
}

fn address(number: usize) -> String {
    format!("10.{}.{}.{}", (number >> 16) & 255, (number >> 8) & 255, number & 255)
}

pub(crate) fn service(number: usize) -> Result<Service> {
    let builder = Service::builder(SERVICE, &address(number), 8080).id(&id(number));
    Ok(builder.attribute("zone", "a").build()?)
}

pub(crate) fn services(count: usize) -> Result<Vec<Service>> {
    (0..count).map(service).collect()
}

/// What the service is in the store (`docs/wire/record.md`).
pub(crate) fn record(number: usize) -> Vec<u8> {
    format!(r#"{{"v":1,"address":"{}","port":8080,"attributes":{{"zone":"a"}}}}"#, address(number))
        .into_bytes()
}

/// The same in Curator's form (`docs/wire/curator.md`), as it stands in a ZooKeeper.
pub(crate) fn curator(number: usize) -> Vec<u8> {
    format!(
        r#"{{"name":"{SERVICE}","id":"{}","address":"{}","port":8080,"sslPort":null,"payload":{{"@class":"java.util.LinkedHashMap","zone":"a"}},"registrationTimeUTC":0,"serviceType":"DYNAMIC","uriSpec":null}}"#,
        id(number),
        address(number)
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use reception::zookeeper::{Curator, Layout};

    use super::*;

    #[test]
    fn the_floor_writes_the_bytes_that_we_write() {
        let ours = Curator::default().encode(&service(EXTRA).unwrap()).unwrap();
        assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(curator(EXTRA)).unwrap());
    }
}
