//! Which scenarios are played, and how their outcome is told.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    sync::atomic::Ordering,
};

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Builder;

use crate::{
    consul, etcd, local,
    scenario::{Outcome, Scenario, all, left_out, unproven},
    stage::Stage,
    zookeeper,
};

/// Most scenarios wait most of their time; more at once would crowd two cores.
const THREADS: usize = 3;

/// The seed of a run that names none: a plain test run plays the same each time.
const SEED: u64 = 1;

/// The backends that have a stand.
const BACKENDS: &[&str] = &["consul", "etcd", "local", "zookeeper"];

/// What `cargo xtask faults` passes on.
struct Plan {
    backends: Vec<&'static str>,
    seed: u64,
    full: bool,
    /// The numbers to play; none for all.
    only: Option<Vec<u8>>,
}

impl Plan {
    #[expect(clippy::disallowed_methods, reason = "how `cargo xtask faults` reaches a test target")]
    fn from_env() -> Result<Self, String> {
        let seed = match env::var("RECEPTION_FAULTS_SEED") {
            Ok(text) => text.parse().map_err(|_| format!("RECEPTION_FAULTS_SEED is no number: {text}"))?,
            Err(_) => SEED,
        };
        let backends = match env::var("RECEPTION_FAULTS_BACKEND") {
            Ok(name) => {
                let known = BACKENDS.iter().copied().find(|known| *known == name);
                vec![
                    known
                        .ok_or_else(|| format!("no stand for {name}; there are: {}", BACKENDS.join(", ")))?,
                ]
            }
            Err(_) => BACKENDS.to_vec(),
        };
        let only =
            env::var("RECEPTION_FAULTS_ONLY").ok().map(|text| numbers(&text, &backends)).transpose()?;
        Ok(Self { backends, seed, full: env::var("RECEPTION_FAULTS_ALL").is_ok(), only })
    }

    fn plays(&self, number: u8) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&number))
    }
}

/// Reads `F7,F9`.
fn numbers(text: &str, backends: &[&str]) -> Result<Vec<u8>, String> {
    let number = |word: &str| {
        let number = word.trim().trim_start_matches(['F', 'f']).parse();
        number.map_err(|_| format!("RECEPTION_FAULTS_ONLY is like F7,F9, not {text}"))
    };
    let numbers = text.split(',').map(number).collect::<Result<Vec<u8>, _>>()?;
    let played: Vec<Scenario> = backends.iter().flat_map(|backend| all(backend)).collect();
    match numbers.iter().find(|number| !played.iter().any(|scenario| scenario.number == **number)) {
        Some(unknown) => Err(format!("no scenario of {} is called F{unknown}", backends.join(", "))),
        None => Ok(numbers),
    }
}

/// Plays what the command line and the environment ask for, with the arguments of the standard test harness.
pub(crate) fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let plan = match Plan::from_env() {
        Ok(plan) => plan,
        Err(wrong) => {
            say(&wrong);
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    for &backend in &plan.backends {
        for scenario in all(backend).into_iter().filter(|scenario| plan.plays(scenario.number)) {
            let (seed, full) = (plan.seed, plan.full);
            let name = format!("{backend}::f{:02}_{}", scenario.number, scenario.name);
            trials.push(Trial::test(name, move || play(backend, scenario, seed, full).map_err(Into::into)));
        }
    }
    if !arguments.list {
        say(&format!("faults: seed {}, {} rounds", plan.seed, if plan.full { "full" } else { "short" }));
        for backend in &plan.backends {
            for (number, name, reason) in left_out(backend) {
                let name = if name.is_empty() { String::new() } else { format!(" {name}") };
                say(&format!("faults: F{number}{name} is left out on {backend}: {reason}"));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn play(backend: &'static str, scenario: Scenario, seed: u64, full: bool) -> Outcome {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            let stand = match backend {
                "consul" => consul::stand(scenario.number).await?,
                "etcd" => etcd::stand(scenario.number).await?,
                "local" => local::stand()?,
                "zookeeper" => zookeeper::stand(scenario.number).await?,
                other => return Err(format!("no stand for {other}")),
            };
            let mut stage = Stage::new(stand, seed, scenario.number, full);
            let outcome = (scenario.play)(&mut stage).await;
            let lacking = |wrong: &String| stage.stand.lacks().iter().any(|lack| *wrong == unproven(*lack));
            if let Err(wrong) = &outcome
                && lacking(wrong)
            {
                say(&format!("faults: F{} {} on {backend} is {wrong}", scenario.number, scenario.name));
                return Ok(());
            }
            outcome?;
            // One that did not get that far has its own words.
            match stage.unjudged.load(Ordering::Relaxed) {
                0 => Ok(()),
                count => Err(format!("{count} histories were written and never judged")),
            }
        })
    }));
    let all = if full { " --all" } else { "" };
    let again = format!(
        "again: cargo xtask faults --backend {backend} --seed {seed} --only F{}{all}",
        scenario.number
    );
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(wrong)) => Err(format!("{wrong}\n{again}")),
        Err(panic) => {
            say(&again);
            std::panic::resume_unwind(panic)
        }
    }
}

/// Prints past the standard harness's printer; a closed pipe is not our failure.
fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}
