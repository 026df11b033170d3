//! The file system of the payload: built from nothing, so that only named paths exist.
//!
//! Everything of the host is opened as a detached tree first (by root, with the rights of root); the new root
//! is then entered while it is still empty, so no path of a job is ever resolved against the host.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};

use super::failure::{Failure, Named, VIEW};
use super::protocol::Subject;
use super::system::{self, DEVICE, INERT, READ_ONLY};
use super::trees::{Tree, Trees};
use crate::job::{Access, Limits, Openings, Slot};
use crate::names::path_of;
use crate::secret::Secret;

/// Files that nbc writes itself, because the host's would name its users and its network.
const SYNTHETIC: [(&str, &str); 5] = [
    ("/etc/passwd", "notebook:x:1000:1000:notebook:/tmp:/bin/sh\n"),
    ("/etc/group", "notebook:x:1000:\n"),
    ("/etc/hosts", "127.0.0.1 localhost notebook\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ("/etc/resolv.conf", ""),
];
/// Entries of `/proc` that libraries size themselves by. The others describe the host's kernel and hardware.
const KERNEL_FILES: [&str; 10] = [
    "self",
    "thread-self",
    "mounts",
    "net",
    "cpuinfo",
    "meminfo",
    "stat",
    "loadavg",
    "uptime",
    "version",
];
/// Files in the private temporary folder. Inodes take kernel memory that no size limit counts.
const INODES: &str = "65536";
pub(super) const SCRATCH: &str = "/.scratch";
/// The folder of the job's secrets.
const SECRETS: &str = "/run/secrets";

/// The layer over a folder of the host.
///
/// A folder of the job is shown bare only when it holds other mounts: a socket of the host can be connected to
/// even through a read-only mount, while the sockets of an overlay are nobody's. An overlay also keeps the
/// host's paths out of the list of mounts.
enum Layering {
    /// Nothing can be written.
    ReadOnly,
    /// Writes go to the private temporary space.
    Private,
}

/// The new root, once it is made.
pub(super) struct View {
    /// Folders where the payload may write.
    pub(super) writable: Vec<Utf8PathBuf>,
    /// Whether there is a `/proc`.
    pub(super) has_process_list: bool,
    /// File systems of each slot, in the order of the slots.
    pub(super) slot_mounts: Vec<SlotMounts>,
    /// A whole `/proc` that is not attached in the view, if there are slots.
    pub(super) processes: Option<OwnedFd>,
}

/// File systems of one slot, each with its place; not attached yet.
pub(super) struct SlotMounts {
    pieces: Vec<(OwnedFd, Utf8PathBuf)>,
}

impl SlotMounts {
    /// Roots of the file systems, all of which may be written to.
    pub(super) fn roots(&self) -> impl Iterator<Item = std::os::fd::BorrowedFd<'_>> {
        self.pieces.iter().map(|(piece, _)| piece.as_fd())
    }

    /// Attaches every piece in its place, over the present one.
    pub(super) fn attach(&self) -> io::Result<()> {
        self.pieces.iter().try_for_each(|(piece, place)| move_to(piece, place.as_str()))
    }

    /// Takes everything away again.
    pub(super) fn detach(self) -> io::Result<()> {
        let mut places = self.pieces.iter().map(|(_, place)| place);
        Ok(places.try_for_each(|it| rustix::mount::unmount(it.as_str(), UnmountFlags::DETACH))?)
    }
}

/// Replaces the root of this mount namespace. Runs as the first process of the new pid namespace.
pub(super) fn enter(
    trees: Trees,
    limits: &Limits,
    openings: &Openings,
    slots: &[Slot],
) -> Result<View, Failure> {
    let (has_process_list, processes) =
        new_root(!slots.is_empty()).named(VIEW, || "entering an empty root".to_owned())?;
    let mut view = View {
        writable: vec!["/tmp".into(), "/dev/shm".into()],
        has_process_list,
        slot_mounts: vec![],
        processes,
    };

    for (path, target) in trees.links {
        rustix::fs::symlink(target.as_str(), path.as_str())
            .map_err(io::Error::from)
            .named(VIEW, || format!("linking `{path}`"))?;
    }
    for tree in trees.system.iter().chain(&trees.devices) {
        attach(tree).named(VIEW, || format!("showing `{}`", tree.inside))?;
    }
    synthetic_files().named(VIEW, || "writing `/etc`".to_owned())?;
    if has_process_list {
        mask_kernel_files().named(VIEW, || "hiding kernel files in `/proc`".to_owned())?;
    }
    temporary_folders(limits).named(VIEW, || "making the temporary folders".to_owned())?;
    secret_files(&openings.files).named(VIEW, || "writing the secrets".to_owned())?;
    for (idx, tree) in trees.mounts.iter().enumerate() {
        let attached = match tree.access {
            Access::ReadOnly if tree.is_folder && !tree.has_mounts => {
                attach_overlay(tree, idx, Layering::ReadOnly, &openings.hidden)
            }
            Access::ReadOnly => attach(tree).and_then(|()| cover(&tree.inside, &openings.hidden)),
            Access::Overlay => {
                view.writable.push(tree.inside.clone());
                attach_overlay(tree, idx, Layering::Private, &openings.hidden)
            }
        };
        attached.map_err(|source| Failure {
            subject: Subject::Mount(tree.inside.to_string()),
            step: "attaching it".to_owned(),
            source,
        })?;
    }
    view.slot_mounts = prepare_slots(&trees.folders, &trees.slots, slots, limits)
        .named(VIEW, || "making private layers".to_owned())?;
    close_root().named(VIEW, || "closing the root".to_owned())?;
    Ok(view)
}

/// Makes the file systems of each slot.
fn prepare_slots(
    folders: &[Tree],
    folder_of: &[usize],
    slots: &[Slot],
    limits: &Limits,
) -> io::Result<Vec<SlotMounts>> {
    for (idx, tree) in folders.iter().enumerate() {
        let lower = format!("{SCRATCH}/folder/{idx}");
        make_folder(Utf8Path::new(&lower))?;
        make_place(tree)?;
        move_to(&tree.detached, &lower)?;
    }
    let base = format!("{SCRATCH}/slot");
    let (upper, work, temporary) =
        (format!("{base}/upper"), format!("{base}/work"), format!("{base}/tmp"));
    make_folder(Utf8Path::new(&base))?;
    let mut slot_mounts = vec![];
    for (slot, folder) in slots.iter().zip(folder_of) {
        let lower = format!("{SCRATCH}/folder/{folder}");
        move_to(&memory_file_system(&limits.temporary.to_string(), INODES, "755")?, &base)?;
        for path in [&upper, &work, &temporary] {
            make_folder(Utf8Path::new(path))?;
        }
        fs_err::set_permissions(&temporary, std::fs::Permissions::from_mode(0o1777))?;
        for path in slot.hidden.iter().filter_map(|it| it.strip_prefix(&slot.mount.inside).ok()) {
            hide(path, Utf8Path::new(&lower), Utf8Path::new(&upper))?;
        }
        let private = overlay(&[("lowerdir", &lower), ("upperdir", &upper), ("workdir", &work)])?;
        let shared = memory_file_system(&size_of_shared(limits), INODES, "1777")?;
        let pieces = vec![
            (private, slot.mount.inside.clone()),
            (copy_of(&temporary)?, "/tmp".into()),
            (shared, "/dev/shm".into()),
        ];
        rustix::mount::unmount(base.as_str(), UnmountFlags::DETACH)?;
        slot_mounts.push(SlotMounts { pieces });
    }
    Ok(slot_mounts)
}

/// Bytes of shared memory.
fn size_of_shared(limits: &Limits) -> String {
    limits.temporary.min(limits.memory / 2).to_string()
}

/// Makes an empty root and leaves the host's behind; tells whether `/proc` could be had. With `keeps_processes`
/// there is another one, for this process alone.
fn new_root(keeps_processes: bool) -> io::Result<(bool, Option<OwnedFd>)> {
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let root = memory_file_system("4m", "8192", "755")?;
    // Any folder that exists will do: it is gone two lines further down.
    move_to(&root, "/usr")?;
    rustix::process::fchdir(&root)?;
    make_folder(Utf8Path::new("proc"))?;
    // The kernel grants a process list of one's own only to those who can see one already,
    // so it has to come before the host's root goes.
    let has_process_list = rustix::mount::mount(
        "proc",
        "proc",
        "proc",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        Some(c"hidepid=invisible"),
    )
    .is_ok();
    let processes = if keeps_processes { Some(process_list()?) } else { None };
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok((has_process_list, processes))
}

/// Makes and attaches a file system, which is what some hosts refuse inside their own namespaces.
pub(super) fn try_mounting() -> io::Result<()> {
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    move_to(&memory_file_system("64k", "8", "755")?, "/usr")
}

fn memory_file_system(size: &str, inodes: &str, mode: &str) -> io::Result<OwnedFd> {
    let new = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [("size", size), ("nr_inodes", inodes), ("mode", mode)] {
        rustix::mount::fsconfig_set_string(new.as_fd(), key, value)?;
    }
    finish(&new)
}

/// A `/proc` of this namespace, with its settings, that is not attached.
fn process_list() -> io::Result<OwnedFd> {
    finish(&rustix::mount::fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?)
}

fn finish(new: &OwnedFd) -> io::Result<OwnedFd> {
    rustix::mount::fsconfig_create(new.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(rustix::mount::fsmount(new.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

fn move_to(detached: &OwnedFd, place: &str) -> io::Result<()> {
    const WHOLE: MoveMountFlags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(rustix::mount::move_mount(detached, c"", CWD, place, WHOLE)?)
}

fn copy_of(path: &str) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    Ok(rustix::mount::open_tree(CWD, path, flags)?)
}

fn make_folder(path: &Utf8Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o755).create(path)
}

/// Attaches a tree at its path, which is made if it does not exist.
fn attach(tree: &Tree) -> io::Result<()> {
    make_place(tree)?;
    move_to(&tree.detached, tree.inside.as_str())
}

fn make_place(tree: &Tree) -> io::Result<()> {
    if tree.is_folder {
        return make_folder(&tree.inside);
    }
    if let Some(parent) = tree.inside.parent() {
        make_folder(parent)?;
    }
    if !tree.inside.exists() {
        fs_err::write(&tree.inside, b"")?;
    }
    Ok(())
}

fn attach_overlay(
    tree: &Tree,
    idx: usize,
    layering: Layering,
    hidden: &[Utf8PathBuf],
) -> io::Result<()> {
    let base = format!("{SCRATCH}/{idx}");
    let (lower, upper, work) =
        (format!("{base}/lower"), format!("{base}/upper"), format!("{base}/work"));
    for path in [&lower, &upper, &work] {
        make_folder(Utf8Path::new(path))?;
    }
    move_to(&tree.detached, &lower)?;
    for path in hidden.iter().filter_map(|it| it.strip_prefix(&tree.inside).ok()) {
        hide(path, Utf8Path::new(&lower), Utf8Path::new(&upper))?;
    }
    let made = match layering {
        // One lower layer alone is no overlay; the one over it holds the marks.
        Layering::ReadOnly => overlay(&[("lowerdir", &format!("{upper}:{lower}"))]),
        Layering::Private => {
            overlay(&[("lowerdir", &lower), ("upperdir", &upper), ("workdir", &work)])
        }
    };
    make_place(tree)?;
    match (made, layering) {
        (Ok(overlay), _) => move_to(&overlay, tree.inside.as_str()),
        // Some file systems cannot lie under an overlay; as they are, they can at least be read.
        (Err(_), Layering::ReadOnly) => {
            move_to(&copy_of(&lower)?, tree.inside.as_str())?;
            cover(&tree.inside, hidden)
        }
        (Err(error), Layering::Private) => Err(error),
    }
}

/// Puts the mark of a removed file over each hidden path: for the job it has never existed. A name that is not
/// there yet is marked right below the top only: the folders above it would be made anew, with a mode of their own.
fn hide(path: &Utf8Path, lower: &Utf8Path, upper: &Utf8Path) -> io::Result<()> {
    let path = path_of(path);
    let is_at_top = path.components().count() == 1;
    if path.as_os_str().is_empty() || !is_at_top && !is_there(&lower.as_std_path().join(&path)) {
        return Ok(());
    }
    let place = upper.as_std_path().join(&path);
    if let Some(parent) = place.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    let (kind, mode) = (rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::empty());
    match rustix::fs::mknodat(CWD, &place, kind, mode, rustix::fs::makedev(0, 0)) {
        // A folder above it is hidden.
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A path counts as present when it cannot be looked at.
fn is_there(path: &std::path::Path) -> bool {
    !fs_err::symlink_metadata(path).is_err_and(|it| it.kind() == io::ErrorKind::NotFound)
}

/// Covers each hidden path with something empty, where no layer can remove it: its name stays.
fn cover(inside: &Utf8Path, hidden: &[Utf8PathBuf]) -> io::Result<()> {
    for path in hidden.iter().filter(|it| it.starts_with(inside) && *it != inside) {
        let place = path_of(path);
        let Ok(metadata) = fs_err::symlink_metadata(&place) else { continue };
        let cover = if metadata.is_dir() {
            let nothing = memory_file_system("4k", "2", "555")?;
            system::set_mount_attributes(nothing.as_fd(), false, READ_ONLY | INERT | DEVICE, None)?;
            nothing
        } else if metadata.is_file() {
            copy_of("/dev/null")?
        } else {
            // A link is looked up among what the job sees.
            continue;
        };
        const WHOLE: MoveMountFlags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(cover, c"", CWD, &place, WHOLE)?;
    }
    Ok(())
}

fn overlay(layers: &[(&str, &str)]) -> io::Result<OwnedFd> {
    let new = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [("source", "overlay")].iter().chain(layers) {
        rustix::mount::fsconfig_set_string(new.as_fd(), *key, *value)?;
    }
    // The other kind of attribute needs a right that no user namespace gives.
    rustix::mount::fsconfig_set_flag(new.as_fd(), "userxattr")?;
    finish(&new)
}

fn synthetic_files() -> io::Result<()> {
    make_folder(Utf8Path::new("/etc"))?;
    for (path, text) in SYNTHETIC {
        fs_err::write(path, text)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        rustix::fs::symlink(target, format!("/dev/{name}"))?;
    }
    Ok(())
}

/// One memory file system backs `/tmp` and every private layer, so that one size bounds them all.
fn temporary_folders(limits: &Limits) -> io::Result<()> {
    let size = limits.temporary.to_string();
    let shared = size_of_shared(limits);
    for path in [SCRATCH, "/tmp", "/dev/shm"] {
        make_folder(Utf8Path::new(path))?;
    }
    move_to(&memory_file_system(&size, INODES, "755")?, SCRATCH)?;
    let temporary = format!("{SCRATCH}/tmp");
    make_folder(Utf8Path::new(&temporary))?;
    fs_err::set_permissions(&temporary, std::fs::Permissions::from_mode(0o1777))?;
    move_to(&copy_of(&temporary)?, "/tmp")?;
    move_to(&memory_file_system(&shared, INODES, "1777")?, "/dev/shm")
}

/// Files that only the job can read, in memory: the host's disk never holds a copy.
fn secret_files(files: &BTreeMap<String, Secret>) -> io::Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    // A file takes whole pages, and the size is no bound but that of the values.
    let size = files.values().map(|it| it.reveal().len() + 8192).sum::<usize>().to_string();
    let folder = memory_file_system(&size, &(files.len() + 2).to_string(), "755")?;
    make_folder(Utf8Path::new(SECRETS))?;
    move_to(&folder, SECRETS)?;
    for (name, value) in files {
        let path = format!("{SECRETS}/{name}");
        fs_err::write(&path, value.reveal())?;
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o400))?;
    }
    // The descriptor refers to the mount, which is in its place by then.
    system::set_mount_attributes(folder.as_fd(), false, READ_ONLY | INERT | DEVICE, None)
}

/// Covers all of `/proc` but the processes and [`KERNEL_FILES`], then makes it read-only.
fn mask_kernel_files() -> io::Result<()> {
    let nothing = memory_file_system("4k", "2", "555")?;
    system::set_mount_attributes(nothing.as_fd(), false, READ_ONLY | INERT | DEVICE, None)?;
    make_folder(Utf8Path::new("/.nothing"))?;
    move_to(&nothing, "/.nothing")?;
    let listing = rustix::fs::open(
        "/proc",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    for entry in rustix::fs::Dir::read_from(&listing)? {
        let entry = entry?;
        if is_shown(entry.file_name()) {
            continue;
        }
        let Ok(name) = entry.file_name().to_str() else { continue };
        let cover = match entry.file_type() {
            rustix::fs::FileType::Directory => "/.nothing",
            rustix::fs::FileType::Symlink => continue,
            _ => "/dev/null",
        };
        move_to(&copy_of(cover)?, &format!("/proc/{name}"))?;
    }
    rustix::mount::unmount("/.nothing", UnmountFlags::DETACH)?;
    fs_err::remove_dir("/.nothing")?;
    let whole = rustix::fs::open(
        "/proc",
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    system::set_mount_attributes(whole.as_fd(), false, READ_ONLY | INERT | DEVICE, None)
}

fn is_shown(name: &CStr) -> bool {
    let bytes = name.to_bytes();
    bytes.starts_with(b".")
        || bytes.first().is_some_and(u8::is_ascii_digit)
        || KERNEL_FILES.iter().any(|it| it.as_bytes() == bytes)
}

fn close_root() -> io::Result<()> {
    rustix::mount::unmount(SCRATCH, UnmountFlags::DETACH)?;
    fs_err::remove_dir(SCRATCH)?;
    let root = rustix::fs::open(
        "/",
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    system::set_mount_attributes(root.as_fd(), false, READ_ONLY | INERT, None)
}
