//! What an Exhibitor lists, and who may ask it.

/// The servers that an [`Exhibitor`](crate::Exhibitor) lists, with the one port of all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The hosts.
    pub hosts: Vec<String>,
    /// The port, as it stands in the file: Exhibitor passes on what is no port.
    pub port: i64,
}

impl Listed {
    /// Lists these hosts with this port.
    pub fn new(hosts: impl IntoIterator<Item = impl Into<String>>, port: impl Into<i64>) -> Self {
        Self { hosts: hosts.into_iter().map(Into::into).collect(), port: port.into() }
    }

    /// The lines of Exhibitor's file.
    pub(crate) fn properties(&self, prefix: &str) -> String {
        let servers = self.hosts.iter().enumerate().map(|(at, host)| format!("{}:{host}", at + 1));
        let servers = servers.collect::<Vec<_>>().join(",");
        format!("{prefix}.servers-spec={servers}\n{prefix}.client-port={}\n", self.port)
    }

    /// What Exhibitor answers.
    pub(crate) fn json(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(|host| format!("\"{host}\"")).collect();
        format!("{{\"servers\":[{}],\"port\":{}}}", hosts.join(","), self.port)
    }
}

/// Options of [`Exhibitor::start_with`](crate::Exhibitor::start_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExhibitorOptions {
    /// The user and the password that everybody has to show, by basic authentication.
    pub login: Option<(String, String)>,
}

impl ExhibitorOptions {
    /// Lets only this user in.
    #[must_use]
    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    /// The header that logs the user in.
    pub(crate) fn basic(&self) -> Option<String> {
        let (user, password) = self.login.as_ref()?;
        Some(format!("Basic {}", base64(format!("{user}:{password}").as_bytes())))
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_written_as_the_web_writes_it() {
        let basic = |user: &str| ExhibitorOptions::default().login(user, "sesame").basic().unwrap();
        assert_eq!(basic("open"), "Basic b3BlbjpzZXNhbWU=");
        assert_eq!(basic("opens"), "Basic b3BlbnM6c2VzYW1l");
        assert_eq!(basic("ope"), "Basic b3BlOnNlc2FtZQ==");
    }

    #[test]
    fn a_list_is_numbered_in_the_file_and_bare_in_the_answer() {
        let listed = Listed::new(["127.0.0.1", "127.0.0.2"], 12181);
        assert_eq!(listed.properties("p"), "p.servers-spec=1:127.0.0.1,2:127.0.0.2\np.client-port=12181\n");
        assert_eq!(listed.json(), r#"{"servers":["127.0.0.1","127.0.0.2"],"port":12181}"#);
    }
}
