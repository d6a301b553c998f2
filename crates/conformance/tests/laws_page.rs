//! `docs/laws.md` names every law by its title and every case under its law, and names no others.

use std::collections::BTreeMap;

use reception_conformance::{Law, cases};

const PAGE: &str = include_str!("../../../docs/laws.md");

/// The text of each law's section, by its heading without the number.
fn sections() -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    for part in PAGE.split("\n### ").skip(1) {
        let text = part.split("\n## ").next().unwrap_or(part);
        let (heading, body) = text.split_once('\n').unwrap_or((text, ""));
        if !heading.starts_with('L') {
            continue;
        }
        let (law, title) = heading.split_once(' ').unwrap_or((heading, ""));
        assert!(
            found.insert(law.to_owned(), (title.to_owned(), body.to_owned())).is_none(),
            "{law} stands twice"
        );
    }
    found
}

fn named(body: &str) -> Vec<&str> {
    body.split('`').skip(1).step_by(2).filter(|word| word.starts_with('l') && word.contains("::")).collect()
}

#[test]
fn each_law_stands_on_the_page_with_its_title_and_its_cases() {
    let sections = sections();
    assert_eq!(sections.len(), Law::ALL.len(), "laws on the page: {:?}", sections.keys());
    for law in Law::ALL {
        let Some((title, body)) = sections.get(&law.to_string()) else { panic!("{law} is not on the page") };
        assert_eq!(title.to_lowercase(), law.title().to_lowercase(), "the title of {law}");
        let table: Vec<&str> =
            cases().filter(|case| case.law() == law).map(reception_conformance::Case::name).collect();
        assert_eq!(named(body), table, "the cases of {law}: the page on the left, the table on the right");
    }
}
