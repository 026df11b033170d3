//! Pictures of the web, where the user wants them on pages: the lock and the store of a project, and what is to be told.

use std::sync::Arc;

use camino::Utf8Path;

use super::{Failure, cache_folder};
use crate::diagnostic::{Code, Diagnostic};
use crate::output::RemotePictures;
use crate::remote::{AssetsLock, LockError, Store};

/// Pictures of the web that pages of a project may show.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) lock: Arc<AssetsLock>,
    pub(super) store: Store,
}

impl Remote {
    /// The lock in a folder, and the store in the user's cache.
    pub(super) fn open(folder: &Utf8Path) -> Result<Self, Failure> {
        let lock = AssetsLock::load(folder).map_err(|it| unusable(&it))?;
        Ok(Self { lock: Arc::new(lock), store: Store::below(&cache_folder()?) })
    }

    /// The pictures of one page.
    pub(super) fn pictures(&self) -> RemotePictures {
        RemotePictures::locked(Arc::clone(&self.lock), self.store.clone())
    }
}

/// A lock that cannot be used, with the way out.
pub(super) fn unusable(error: &LockError) -> Failure {
    let help = match error {
        LockError::Invalid { .. } => {
            Some("`nbc lock --upgrade --remote-images` writes it anew".to_owned())
        }
        LockError::Unreadable { source, .. } => source.help().map(str::to_owned),
        LockError::Unwritable { .. } => None,
    };
    Failure { message: error.to_string(), help }
}

/// Whether a finding is about a picture whose address has a query, which may hold a token: then no lines are quoted.
pub(super) fn hides_query(findings: &[Diagnostic]) -> bool {
    let is_of_web = |it: &Diagnostic| {
        matches!(it.code, Code::UnlockedPicture | Code::UnfetchedPicture)
            && it.message.contains("?…")
    };
    findings.iter().any(is_of_web)
}
