//! Where this system's own packages come from, as its lists of package sources say.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{Result, workspace::read};

/// An archive from which a minimal system can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) uri: String,
    pub(crate) suite: String,
    pub(crate) components: Vec<String>,
    /// The file of keys that it is signed with, where the source names one.
    pub(crate) keyring: Option<String>,
}

/// The archive of the release that runs here.
pub(crate) fn own() -> Result<Mirror> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = codename(&release).ok_or("/etc/os-release names no release")?;
    let mut sources = Vec::new();
    for (path, text) in lists(Path::new("/etc/apt"))? {
        sources.extend(if path.ends_with(".sources") { stanzas(&text) } else { one_lines(&text) });
    }
    choose(&sources, &codename).ok_or_else(|| format!("no package source of this system is for {codename}"))
}

/// Every list of package sources, by its path.
fn lists(apt: &Path) -> Result<Vec<(String, String)>> {
    let mut paths = vec![apt.join("sources.list")];
    let parts = fs::read_dir(apt.join("sources.list.d")).into_iter().flatten().flatten();
    paths.extend(parts.map(|entry| entry.path()));
    paths.sort();
    let is_list =
        |path: &Path| path.is_file() && path.extension().is_some_and(|end| end == "list" || end == "sources");
    paths
        .into_iter()
        .filter(|path| is_list(path))
        .map(|path| Ok((path.to_string_lossy().into_owned(), read(&path)?)))
        .collect()
}

fn codename(release: &str) -> Option<String> {
    let of = |key: &str| release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let name = of("VERSION_CODENAME")?.trim_matches(['"', '\'']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// The first source of exactly this suite that has the main component and that debootstrap can read.
fn choose(sources: &[Mirror], codename: &str) -> Option<Mirror> {
    let readable = |uri: &str| ["http://", "https://", "file:/"].iter().any(|begin| uri.starts_with(begin));
    let main = |source: &Mirror| source.components.iter().any(|component| component == "main");
    sources.iter().find(|source| source.suite == codename && main(source) && readable(&source.uri)).cloned()
}

/// Reads lines `deb [key=value ..] URI SUITE COMPONENT..`.
fn one_lines(text: &str) -> Vec<Mirror> {
    text.lines().filter_map(one_line).collect()
}

fn one_line(line: &str) -> Option<Mirror> {
    let rest = line.split('#').next()?.trim().strip_prefix("deb")?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let keyring = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    let mut words = rest.split_whitespace().map(str::to_owned);
    let (uri, suite) = (words.next()?, words.next()?);
    Some(Mirror { uri, suite, components: words.collect(), keyring: keyring.map(str::to_owned) })
}

/// Reads the stanzas of the deb822 style, one mirror for each address and suite.
fn stanzas(text: &str) -> Vec<Mirror> {
    let mut mirrors = Vec::new();
    let mut fields = BTreeMap::<String, String>::new();
    let mut last = String::new();
    for line in text.lines().chain([""]).filter(|line| !line.starts_with('#')) {
        if line.trim().is_empty() {
            mirrors.extend(stanza(&std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            let field = fields.entry(last.clone()).or_default();
            field.push('\n');
            field.push_str(line.trim());
        } else if let Some((name, value)) = line.split_once(':') {
            last = name.trim().to_ascii_lowercase();
            fields.insert(last.clone(), value.trim().to_owned());
        }
    }
    mirrors
}

fn stanza(fields: &BTreeMap<String, String>) -> Vec<Mirror> {
    let of = |name: &str| fields.get(name).map_or("", String::as_str);
    let words = |name: &str| of(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let disabled = matches!(of("enabled").to_ascii_lowercase().as_str(), "no" | "false" | "0");
    if disabled || !words("types").iter().any(|kind| kind == "deb") {
        return Vec::new();
    }
    // A key may also stand in the list itself; then the installed keys have to do.
    let keyring = Some(of("signed-by")).filter(|keys| keys.starts_with('/') && !keys.contains('\n'));
    let mut mirrors = Vec::new();
    for uri in words("uris") {
        for suite in words("suites") {
            let (uri, components) = (uri.clone(), words("components"));
            mirrors.push(Mirror { uri, suite, components, keyring: keyring.map(str::to_owned) });
        }
    }
    mirrors
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "# deb http://old.invalid/d bookworm main\n\
        deb-src http://a.invalid/d bookworm main\n\
        deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://other.invalid/apt stable main\n\
        deb http://a.invalid/d-security bookworm-security main\n\
        deb\t[signed-by=/k.gpg]  http://a.invalid/d   bookworm main contrib # ours\n";

    const STANZAS: &str = "# made at installation\nTypes: deb deb-src\n# a note\nURIs: http://b.invalid/d\n\
        Suites: trixie trixie-updates\nComponents: main\nSigned-By: /usr/share/keyrings/d.gpg\n\n\
        Types: deb\nURIs: http://c.invalid/d\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN\n -----END\n\n\
        enabled: no\nTypes: deb\nURIs: http://off.invalid/d\nSuites: noble\nComponents: main\n";

    #[test]
    fn a_list_of_lines_gives_the_archive_of_the_release() {
        let mirror = choose(&one_lines(LINES), "bookworm").unwrap();
        let components = ["main", "contrib"].map(str::to_owned).to_vec();
        let (uri, suite) = ("http://a.invalid/d".to_owned(), "bookworm".to_owned());
        assert_eq!(mirror, Mirror { uri, suite, components, keyring: Some("/k.gpg".to_owned()) });
        assert_eq!(choose(&one_lines(LINES), "sid"), None);
    }

    #[test]
    fn a_list_of_stanzas_gives_one_archive_for_each_suite() {
        let sources = stanzas(STANZAS);
        let told: Vec<_> =
            sources.iter().map(|source| (source.uri.as_str(), source.suite.as_str())).collect();
        let b = "http://b.invalid/d";
        assert_eq!(told, [(b, "trixie"), (b, "trixie-updates"), ("http://c.invalid/d", "sid")]);
        assert_eq!(sources[0].keyring.as_deref(), Some("/usr/share/keyrings/d.gpg"));
        assert_eq!(sources[2].keyring, None);
        assert_eq!(choose(&sources, "noble"), None);
    }

    #[test]
    fn an_archive_without_main_or_of_a_strange_kind_is_passed_over() {
        let text = "deb cdrom:[disc]/ bookworm main\ndeb mirror+file:/m bookworm main\n\
            deb http://a.invalid/d bookworm contrib\ndeb file:/srv/d bookworm main";
        assert_eq!(choose(&one_lines(text), "bookworm").unwrap().uri, "file:/srv/d");
    }

    #[test]
    fn only_lists_are_read() {
        let desk = tempfile::tempdir().unwrap();
        for file in
            ["sources.list", "sources.list.d/a.sources", "sources.list.d/b.list", "sources.list.d/c.list.off"]
        {
            crate::workspace::write(&desk.path().join(file), "").unwrap();
        }
        assert_eq!(lists(desk.path()).unwrap().len(), 3);
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=\"bookworm\"\n").as_deref(), Some("bookworm"));
        assert_eq!(codename("ID=arch\nVERSION_CODENAME=\n"), None);
    }
}
