//! Pictures, sound and film that lie beside the notebook, and pictures of the web, for elements that name them.

use crate::diagnostic::Code;
use crate::output::neighbours::{Refusal, is_local};
use crate::output::note;
use crate::output::notes::Notes;
use crate::output::remote::RemoteRefusal;
use crate::output::{RefusedFile, RemotePictures};
use crate::sanitize::{FoundPicture, SafeHtml};

/// Longest address in a finding, in characters.
const LONGEST_SHOWN: usize = 200;

/// The picture at an address. Tells why there is none, where it had to be a file beside the notebook or one that the lock
/// of pictures names.
pub(in crate::output) fn picture(address: &str, notes: &Notes) -> FoundPicture {
    let Some(neighbours) = notes.neighbours() else { return FoundPicture::NotAsked };
    let remote = neighbours.remote();
    let found = match is_local(address) {
        true if remote.is_some_and(RemotePictures::only_notes) => return FoundPicture::NotAsked,
        true => neighbours.picture(address).map_err(|it| refused(address, it)),
        false => {
            match remote.and_then(|it| it.picture(address, neighbours)) {
                None => return FoundPicture::NotAsked,
                Some(found) => found.map_err(|RemoteRefusal { refusal, code, is_error }| {
                    RefusedFile { code, is_error, ..refused(address, refusal) }
                }),
            }
        }
    };
    match found {
        Ok(found) => {
            notes.removed(&found.removed);
            if let Some(reason) = found.told {
                let help = Some("give the file the ending of its kind");
                let file = refused(address, Refusal { reason, help });
                notes.refuse(RefusedFile { is_shown: true, ..file });
            }
            FoundPicture::Found(found.picture)
        }
        Err(file) => {
            notes.refuse(file);
            FoundPicture::Refused
        }
    }
}

/// A player for the file at an address, as large as the markup says; `None` for an address of elsewhere.
pub(super) fn player(
    address: &str,
    is_film: bool,
    size: (Option<u32>, Option<u32>),
    notes: &Notes,
) -> Option<SafeHtml> {
    let neighbours = notes.neighbours().filter(|_| is_local(address))?;
    Some(match neighbours.media(address, is_film) {
        Ok(found) => SafeHtml::player_of_file(found.kind, &found.bytes, &found.name, size),
        Err(refusal) => {
            notes.refuse(refused(address, refusal));
            let what = if is_film { "video" } else { "audio" };
            note(&format!("Here the notebook plays {what} that is not part of this page."))
        }
    })
}

fn refused(address: &str, refusal: Refusal) -> RefusedFile {
    let address = address.trim().chars().take(LONGEST_SHOWN).collect();
    let Refusal { reason, help } = refusal;
    let code = Code::UnshownFile;
    RefusedFile { address, reason, is_shown: false, help, code, is_error: false }
}
