//! Nothing is fetched on systems where nbc has no proxy of its own.

use super::Address;

/// The servers that may be reached: none.
pub struct Route;

/// Why a picture was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// There is no way here.
    #[error("nbc fetches pictures on Linux only")]
    NotHere,
    /// The system has no list of authorities.
    #[error("the system trusts no certificate authority")]
    NoRoots,
}

impl Route {
    /// No server.
    ///
    /// # Errors
    /// Always.
    pub fn public() -> Result<Self, FetchError> {
        Err(FetchError::NotHere)
    }
}

/// Fetches nothing.
pub struct Fetcher;

impl Fetcher {
    /// Fetches nothing.
    #[must_use]
    pub fn new(_route: Route) -> Self {
        Self
    }

    /// No bytes.
    ///
    /// # Errors
    /// Always.
    pub fn fetch(&self, _address: &Address) -> Result<Vec<u8>, FetchError> {
        Err(FetchError::NotHere)
    }
}
