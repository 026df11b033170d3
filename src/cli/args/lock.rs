//! The flags of `nbc lock`.

use camino::Utf8PathBuf;
use clap::Args;

use super::{Format, IsolationLevel};
use crate::config::ByteSize;
use crate::driver::Options;
use crate::environment::{PackageName, Pins};
use crate::interrupt::Cancel;

/// `nbc lock`.
#[derive(Debug, Args)]
pub struct Lock {
    /// Notebooks, or folders of notebooks
    #[arg(required = true)]
    pub inputs: Vec<Utf8PathBuf>,
    /// Fetch the pictures of the web that prose and stored outputs name, and pin them in `nbc-assets.lock`
    #[arg(long)]
    pub remote_images: bool,
    /// Grant what `nbc.toml` asks for: `remote-images`
    #[arg(long)]
    pub trust_config: bool,
    /// Write nothing; exit code 1 if a lock is missing or older than what notebooks ask for
    #[arg(long)]
    pub check: bool,
    /// Take the newest versions and pictures, instead of keeping the pins that still fit
    #[arg(long, conflicts_with = "check")]
    pub upgrade: bool,
    /// Build this package from source, inside the sandbox, where it has no wheel (repeatable)
    #[arg(long, value_name = "PACKAGE")]
    pub allow_build: Vec<PackageName>,
    /// How much of the confinement there must be for that [default: strict]
    #[arg(long, value_enum, value_name = "LEVEL", requires = "allow_build")]
    pub isolation: Option<IsolationLevel>,
    /// Unpacked size of an environment's packages [default: 2GiB]
    #[arg(long, value_name = "SIZE")]
    pub environment_size: Option<ByteSize>,
    /// How diagnostics are printed
    #[arg(long, value_enum, default_value_t = Format::Full)]
    pub format: Format,
}

impl Lock {
    /// The options that the flags ask for.
    pub fn options(&self) -> Options {
        let (remote_images, trust_config) = (self.remote_images, self.trust_config);
        Options { remote_images, trust_config, cancel: Cancel::current(), ..Options::default() }
    }

    /// The treatment of the pins of earlier locks.
    pub fn pins(&self) -> Pins {
        if self.upgrade { Pins::Upgrade } else { Pins::Keep }
    }
}
