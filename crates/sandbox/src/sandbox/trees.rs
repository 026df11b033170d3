//! Parts of the host that a job sees, opened as detached trees before the new root is entered.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use rustix::fs::CWD;
use rustix::mount::OpenTreeFlags;

use super::failure::{Failure, Named, VIEW};
use super::mounts::SCRATCH;
use super::protocol::Subject;
use super::system::{self, DEVICE, Fork, INERT, READ_ONLY};
use crate::job::{Access, Mount, Slot};

/// Folders needed to link and start a program; on merged systems most are symbolic links.
pub(super) const SYSTEM_FOLDERS: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];
/// Files that programs need as well; none tells who or where the host is.
pub(super) const SYSTEM_FILES: [&str; 7] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/mime.types",
    "/etc/debian_version",
    "/etc/os-release",
];
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// A part of the host, detached from it.
pub(super) struct Tree {
    pub(super) detached: OwnedFd,
    pub(super) inside: Utf8PathBuf,
    pub(super) is_folder: bool,
    /// Whether other file systems are mounted below it.
    pub(super) has_mounts: bool,
    pub(super) access: Access,
}

/// Everything of the host that the new root will show.
pub(super) struct Trees {
    pub(super) system: Vec<Tree>,
    pub(super) links: Vec<(Utf8PathBuf, String)>,
    pub(super) devices: Vec<Tree>,
    pub(super) mounts: Vec<Tree>,
    /// Folders of slots, each once.
    pub(super) folders: Vec<Tree>,
    /// Index in `folders` of each slot's folder.
    pub(super) slots: Vec<usize>,
}

/// Opens the parts of the host that the job sees; `switched_to` is the host id that must own them in the job's eyes.
pub(super) fn open(
    mounts: &[Mount],
    slots: &[Slot],
    switched_to: Option<u32>,
) -> Result<Trees, Failure> {
    let mut trees = Trees::of_system()?;
    let mut owners = Owners { id: switched_to, maps: BTreeMap::new() };
    let mut mounts = mounts.iter().collect::<Vec<_>>();
    // A mount inside another one comes after it.
    mounts.sort_by_key(|it| it.inside.components().count());
    for mount in mounts {
        trees.mounts.push(open_mount(mount, &mut owners)?);
    }
    let mut known = BTreeMap::new();
    for slot in slots {
        let next = trees.folders.len();
        let place = *known.entry((&slot.mount.host, &slot.mount.inside)).or_insert(next);
        if place == next {
            trees.folders.push(open_mount(&slot.mount, &mut owners)?);
        }
        trees.slots.push(place);
    }
    Ok(trees)
}

impl Trees {
    /// The folders, files and devices of the system.
    fn of_system() -> Result<Self, Failure> {
        let mut trees = Trees {
            system: vec![],
            links: vec![],
            devices: vec![],
            mounts: vec![],
            folders: vec![],
            slots: vec![],
        };
        let open = |path: &Utf8Path, attributes| {
            open_one(path, path, attributes).named(VIEW, || format!("showing `{path}`"))
        };
        for path in SYSTEM_FOLDERS.map(Utf8Path::new) {
            if let Ok(target) = path.read_link_utf8() {
                trees.links.push((path.to_owned(), target.into_string()));
            } else if path.is_dir() {
                trees.system.push(open(path, READ_ONLY | INERT)?);
            }
        }
        for path in SYSTEM_FILES.into_iter().chain(["/etc/localtime"]).map(Utf8Path::new) {
            if path.exists() {
                trees.system.push(open(path, READ_ONLY | INERT)?);
            }
        }
        for name in DEVICES {
            let path = Utf8PathBuf::from(format!("/dev/{name}"));
            let is_device = fs_err::metadata(&path).is_ok_and(|it| it.file_type().is_char_device());
            if !is_device {
                return Err(Failure {
                    subject: Subject::Layer(VIEW.to_owned()),
                    step: format!("showing the device `{path}`"),
                    source: io::ErrorKind::NotFound.into(),
                });
            }
            trees.devices.push(open(&path, DEVICE)?);
        }
        Ok(trees)
    }
}

fn open_mount(mount: &Mount, owners: &mut Owners) -> Result<Tree, Failure> {
    let failed = |step: &str, source| Failure {
        subject: Subject::Mount(mount.host.to_string()),
        step: step.to_owned(),
        source,
    };
    check_inside(&mount.inside).map_err(|it| failed("the place inside is not allowed", it))?;
    let mut tree = open_one(&mount.host, &mount.inside, READ_ONLY | INERT)
        .map_err(|it| failed("opening it", it))?;
    if !tree.is_folder && !mount.host.is_file() {
        let source = io::ErrorKind::InvalidInput.into();
        return Err(failed("it is neither a folder nor a plain file", source));
    }
    owners.adopt(&mount.host, &tree).map_err(|it| failed("mapping its owner", it))?;
    if mount.access == Access::Overlay && !tree.is_folder {
        let source = io::ErrorKind::NotADirectory.into();
        return Err(failed("only a folder can have a private layer", source));
    }
    tree.access = mount.access;
    tree.has_mounts = has_mounts(&mount.host).map_err(|it| failed("listing mounts", it))?;
    Ok(tree)
}

fn check_inside(inside: &Utf8Path) -> io::Result<()> {
    let is_plain = inside.components().skip(1).all(|it| matches!(it, Utf8Component::Normal(_)));
    let is_ours = ["/", "/tmp"].iter().any(|it| inside == *it)
        || ["/proc", "/dev", SCRATCH].iter().any(|it| inside.starts_with(it));
    if inside.is_absolute() && is_plain && !is_ours {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{inside}` is no path for a mount")))
}

fn open_one(host: &Utf8Path, inside: &Utf8Path, attributes: u64) -> io::Result<Tree> {
    let is_folder = fs_err::metadata(host)?.is_dir();
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let detached = rustix::mount::open_tree(CWD, host.as_str(), flags)?;
    system::set_mount_attributes(detached.as_fd(), true, attributes, None)?;
    Ok(Tree {
        detached,
        inside: inside.to_owned(),
        is_folder,
        has_mounts: false,
        access: Access::ReadOnly,
    })
}

/// Whether a file system is mounted below this folder: an overlay would show an empty folder there.
fn has_mounts(host: &Utf8Path) -> io::Result<bool> {
    let host = host.canonicalize_utf8()?;
    let Ok(table) = fs_err::read_to_string("/proc/self/mountinfo") else { return Ok(true) };
    let places = table.lines().filter_map(|line| line.split(' ').nth(4));
    // The table writes blanks as `\040`.
    let mut places = places.map(|it| Utf8PathBuf::from(it.replace("\\040", " ")));
    Ok(places.any(|it| it != host && it.starts_with(&host)))
}

/// Lets an unused host id read what its owner may read, without a change on the disk.
struct Owners {
    id: Option<u32>,
    maps: BTreeMap<(u32, u32), OwnedFd>,
}

impl Owners {
    fn adopt(&mut self, host: &Utf8Path, tree: &Tree) -> io::Result<()> {
        let Some(id) = self.id else { return Ok(()) };
        let metadata = fs_err::metadata(host)?;
        let owner = (metadata.uid(), metadata.gid());
        let namespace = match self.maps.entry(owner) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(id_map(owner, id)?),
        };
        let namespace = namespace.as_fd();
        let tree_fd = tree.detached.as_fd();
        let adopted = system::set_mount_attributes(tree_fd, true, 0, Some(namespace))
            .or_else(|_| system::set_mount_attributes(tree_fd, false, 0, Some(namespace)));
        let Err(error) = adopted else { return Ok(()) };
        // Some file systems cannot map owners. That matters only where others may not read.
        let needed = if tree.is_folder { 0o005 } else { 0o004 };
        if metadata.permissions().mode() & needed == needed { Ok(()) } else { Err(error) }
    }
}

/// A user namespace in which the files of `owner` belong to `id`, and those of others stay theirs.
fn id_map(owner: (u32, u32), id: u32) -> io::Result<OwnedFd> {
    let (mut ready, say_ready) = io::pipe()?;
    let (mut stay, let_go) = io::pipe()?;
    let child = match system::fork()? {
        Fork::Child => {
            drop((ready, let_go));
            let answer = system::unshare(libc::CLONE_NEWUSER)
                .and_then(|()| (&say_ready).write_all(&[1]))
                // The pipe ends when the parent is done, and also when it is dead.
                .and_then(|()| stay.read(&mut [0]).map(drop));
            system::exit_now(i32::from(answer.is_err()));
        }
        Fork::Parent(child) => child,
    };
    drop((say_ready, stay));
    let made = ready.read_exact(&mut [0]).and_then(|()| {
        let pid = child.as_raw_nonzero();
        fs_err::write(format!("/proc/{pid}/uid_map"), id_map_lines(owner.0, id))?;
        fs_err::write(format!("/proc/{pid}/gid_map"), id_map_lines(owner.1, id))?;
        Ok(fs_err::File::open(format!("/proc/{pid}/ns/user"))?.into_parts().0.into())
    });
    drop(let_go);
    rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty())?;
    made
}

/// Lines of an id map in which the owner becomes `id`, and every other id below `id` stays the same.
fn id_map_lines(owner: u32, id: u32) -> String {
    let mut lines = format!("{owner} {id} 1\n");
    let ranges = [(0, owner.min(id)), (owner.saturating_add(1), id)];
    for (first, end) in ranges {
        if first < end {
            lines.push_str(&format!("{first} {first} {}\n", end - first));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_keeps_to_plain_paths_of_its_own() {
        for good in ["/nb", "/root/.pyenv/versions/3.11.7", "/tmp/venv"] {
            assert!(check_inside(Utf8Path::new(good)).is_ok(), "{good}");
        }
        for bad in
            ["/", "nb", "/nb/../etc", "/proc", "/proc/1", "/dev/null", "/tmp", "/.scratch/0", ""]
        {
            assert!(check_inside(Utf8Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_map_swaps_the_owner_only() {
        assert_eq!(id_map_lines(0, 9), "0 9 1\n1 1 8\n");
        assert_eq!(id_map_lines(5, 9), "5 9 1\n0 0 5\n6 6 3\n");
        assert_eq!(id_map_lines(9, 9), "9 9 1\n0 0 9\n");
        assert_eq!(id_map_lines(u32::MAX, 9), "4294967295 9 1\n0 0 9\n");
    }
}
