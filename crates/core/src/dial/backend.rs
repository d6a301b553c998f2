//! A backend as a value: its name, its schemes, its options and how to dial it.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use super::{config, option::OptionSpec, url::DialUrl};
use crate::{
    client::Client,
    error::{CORE, Error, ErrorKind, Result},
};

/// What a dial function returns.
pub type DialFuture = Pin<Box<dyn Future<Output = Result<Arc<dyn Client>>> + Send>>;

/// Dials a backend; the options of the URL are checked before it is called.
pub type DialFn = fn(DialUrl) -> DialFuture;

/// A backend as a value: each backend crate has one as `BACKEND`.
#[derive(Clone, Copy)]
pub struct Backend {
    name: &'static str,
    schemes: &'static [&'static str],
    example: &'static str,
    options: &'static [OptionSpec],
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    Dial(DialFn),
    Feature(&'static str),
}

impl Backend {
    /// Describes a backend; `example` is a URL that parses.
    #[must_use]
    pub const fn new(
        name: &'static str,
        schemes: &'static [&'static str],
        example: &'static str,
        options: &'static [OptionSpec],
        dial: DialFn,
    ) -> Self {
        Self { name, schemes, example, options, how: How::Dial(dial) }
    }

    /// Describes a backend that is compiled out; dialling it names the feature that brings it in.
    #[must_use]
    pub const fn absent(name: &'static str, schemes: &'static [&'static str], feature: &'static str) -> Self {
        Self { name, schemes, example: "", options: &[], how: How::Feature(feature) }
    }

    /// The name that errors carry.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The schemes of its URLs.
    #[must_use]
    pub const fn schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    /// A URL of it; empty when it is compiled out.
    #[must_use]
    pub const fn example(&self) -> &'static str {
        self.example
    }

    /// The options of its URLs; none when it is compiled out.
    #[must_use]
    pub const fn options(&self) -> &'static [OptionSpec] {
        self.options
    }

    /// The feature that brings it in, when it is compiled out.
    #[must_use]
    pub const fn feature(&self) -> Option<&'static str> {
        match self.how {
            How::Dial(_) => None,
            How::Feature(feature) => Some(feature),
        }
    }

    /// Checks the options of the URL and dials.
    pub(super) async fn dial(&self, url: DialUrl) -> Result<Arc<dyn Client>> {
        match self.how {
            How::Dial(dial) => {
                url.check(self.options)
                    .map_err(|error| config(format!("{}: {}", self.name, error.context())))?;
                dial(url).await
            }
            How::Feature(feature) => {
                let context =
                    format!("scheme \"{}\" is compiled out: turn the feature \"{feature}\" on", url.scheme());
                Err(Error::new(ErrorKind::Unsupported, CORE, "dial", context))
            }
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("name", &self.name)
            .field("schemes", &self.schemes)
            .field("feature", &self.feature())
            .finish_non_exhaustive()
    }
}
