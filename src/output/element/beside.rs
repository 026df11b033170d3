//! Pictures, sound and film that lie beside the notebook, for elements that name them.

use crate::output::RefusedFile;
use crate::output::neighbours::{Refusal, is_local};
use crate::output::note;
use crate::output::notes::Notes;
use crate::sanitize::{FoundPicture, SafeHtml};

/// Longest address in a finding, in characters.
const LONGEST_SHOWN: usize = 200;

/// The picture at an address. Tells why there is none, where it had to be a file beside the notebook.
pub(in crate::output) fn picture(address: &str, notes: &Notes) -> FoundPicture {
    let Some(neighbours) = notes.neighbours().filter(|_| is_local(address)) else {
        return FoundPicture::NotAsked;
    };
    match neighbours.picture(address) {
        Ok(found) => {
            notes.removed(&found.removed);
            if let Some(reason) = found.told {
                let help = Some("give the file the ending of its kind");
                tell(address, Refusal { reason, help }, true, notes);
            }
            FoundPicture::Found(found.picture)
        }
        Err(refusal) => {
            tell(address, refusal, false, notes);
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
            tell(address, refusal, false, notes);
            let what = if is_film { "video" } else { "audio" };
            note(&format!("Here the notebook plays {what} that is not part of this page."))
        }
    })
}

fn tell(address: &str, refusal: Refusal, is_shown: bool, notes: &Notes) {
    let address = address.trim().chars().take(LONGEST_SHOWN).collect();
    let Refusal { reason, help } = refusal;
    notes.refuse(RefusedFile { address, reason, is_shown, help });
}
