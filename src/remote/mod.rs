//! Pictures of the web: their addresses, the lock that pins their bytes, and the store that holds these.
//!
//! In: addresses as authors wrote them, and `nbc-assets.lock`. Out: bytes with the digest that the lock names, or
//! nothing. Only [`Fetcher`] reaches a network, when a user asks for it; a build reads the lock and the store.

mod address;
#[cfg(target_os = "linux")]
mod fetch;
#[cfg(not(target_os = "linux"))]
#[path = "no_fetch.rs"]
mod fetch;
mod lock;
mod store;

pub use address::{Address, AddressError, is_web, shown};
pub use fetch::{FetchError, Fetcher, Route};
pub use lock::{AssetsLock, LOCK, LockError, LockedPicture, MOST_OF_PROJECT, MOST_PICTURES};
pub use store::Store;

/// Most bytes of a picture.
pub const MOST_PICTURE: u64 = 32 << 20;
