//! The commands that README.md tells a newcomer to type, so that they are run as they stand there.

use crate::Result;

/// Stands on the line before a fenced block whose commands are run.
const MARK: &str = "<!-- ci: run -->";
/// The command that runs the tests: it is told apart, since it comes last and its results are counted.
pub(crate) const TEST: &str = "cargo xtask test";

/// The commands of the marked blocks, in their order; the command of the tests is one of them.
pub(crate) fn commands(readme: &str) -> Result<Vec<String>> {
    let mut commands = Vec::new();
    let mut lines = readme.lines().map(str::trim).filter(|line| !line.is_empty());
    while let Some(line) = lines.next() {
        if line != MARK {
            continue;
        }
        if lines.next() != Some("```sh") {
            return Err(format!("README.md: no ```sh block stands directly after `{MARK}`"));
        }
        let block = lines.by_ref().take_while(|line| *line != "```");
        commands.extend(block.filter(|line| !line.starts_with('#')).map(str::to_owned));
    }
    match commands.iter().filter(|command| *command == TEST).count() {
        1 if commands.len() > 1 => Ok(commands),
        1 => Err(format!("README.md: besides `{TEST}` a marked block shows what to run first")),
        _ => Err(format!("README.md: `{TEST}` stands once in the blocks marked `{MARK}`")),
    }
}

/// The example that a command runs.
pub(crate) fn example(command: &str) -> Option<&str> {
    command.split_once("--example ")?.1.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_blocks_are_read_and_others_left_alone() {
        let text = "# T\n```sh\nrm -r x\n```\n<!-- ci: run -->\n```sh\n# first\ncargo run --example tour\n```\n\
            text\n\n<!-- ci: run -->\n```sh\ncargo xtask test\n```\n";
        assert_eq!(commands(text).unwrap(), ["cargo run --example tour", "cargo xtask test"]);
        assert_eq!(example("cargo run --example tour -- memory:"), Some("tour"));
        assert_eq!(example("cargo xtask test"), None);
    }

    #[test]
    fn a_readme_without_its_commands_is_a_fault() {
        assert!(commands("```sh\ncargo xtask test\n```").is_err());
        assert!(commands("<!-- ci: run -->\n```sh\ncargo xtask test\n```").is_err());
        assert!(commands("<!-- ci: run -->\n```rust\n```").unwrap_err().contains("```sh"));
        let twice = "<!-- ci: run -->\n```sh\ncargo xtask test\ncargo xtask test\n```";
        assert!(commands(twice).is_err());
    }
}
