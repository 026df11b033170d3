//! The file system that the payload sees: built from nothing, so that what is not named is not there.
//!
//! Everything of the host is opened as a detached tree first (by root, with the rights of root); the new root
//! is then entered while it is still empty, so no path of a job is ever resolved against the host.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};

use super::super::{Access, Limits, Mount, Openings, Room};
use super::protocol::Subject;
use super::stage::{Failure, Named};
use super::system::{self, DEVICE, Fork, INERT, READ_ONLY};
use crate::secret::Secret;
use crate::source::credentials::path_of;

/// The layer that this file makes.
pub(super) const VIEW: &str = "file system view";
/// The user and group of the payload, as it sees itself.
pub(super) const INSIDE_ID: u32 = 1000;

/// Folders needed to link and start a program; on merged systems most are symbolic links.
pub(super) const SYSTEM_FOLDERS: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];
/// Files needed as well; none tells who or where the host is.
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
/// Files made here instead of shown, because the host's would name its users and its network.
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
const SCRATCH: &str = "/.scratch";
/// The folder of the job's secrets.
const SECRETS: &str = "/run/secrets";

/// A part of the host, detached from it.
pub(super) struct Tree {
    detached: OwnedFd,
    inside: Utf8PathBuf,
    is_folder: bool,
    /// Whether other file systems are mounted below it.
    has_mounts: bool,
    access: Access,
}

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

/// Everything of the host that the new root will show.
pub(super) struct Trees {
    system: Vec<Tree>,
    links: Vec<(Utf8PathBuf, String)>,
    devices: Vec<Tree>,
    mounts: Vec<Tree>,
    /// Folders of rooms, each once.
    folders: Vec<Tree>,
    /// For each room, the place of its folder among them.
    rooms: Vec<usize>,
}

/// Opens what the job sees of the host; `switched_to` is the host id that must own it in the job's eyes.
pub(super) fn open(
    mounts: &[Mount],
    rooms: &[Room],
    switched_to: Option<u32>,
) -> Result<Trees, Failure> {
    let mut trees = Trees {
        system: vec![],
        links: vec![],
        devices: vec![],
        mounts: vec![],
        folders: vec![],
        rooms: vec![],
    };
    for path in SYSTEM_FOLDERS {
        let path = Utf8Path::new(path);
        if let Ok(target) = path.read_link_utf8() {
            trees.links.push((path.to_owned(), target.into_string()));
        } else if path.is_dir() {
            trees.system.push(
                open_one(path, path, READ_ONLY | INERT)
                    .named(VIEW, || format!("showing `{path}`"))?,
            );
        }
    }
    for path in SYSTEM_FILES.into_iter().chain(["/etc/localtime"]).map(Utf8Path::new) {
        if path.exists() {
            trees.system.push(
                open_one(path, path, READ_ONLY | INERT)
                    .named(VIEW, || format!("showing `{path}`"))?,
            );
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
        trees
            .devices
            .push(open_one(&path, &path, DEVICE).named(VIEW, || format!("showing `{path}`"))?);
    }

    let mut owners = Owners { id: switched_to, maps: BTreeMap::new() };
    let mut mounts = mounts.iter().collect::<Vec<_>>();
    // A mount inside another one comes after it.
    mounts.sort_by_key(|it| it.inside.components().count());
    for mount in mounts {
        trees.mounts.push(open_mount(mount, &mut owners)?);
    }
    let mut known = BTreeMap::new();
    for room in rooms {
        let next = trees.folders.len();
        let place = *known.entry((&room.mount.host, &room.mount.inside)).or_insert(next);
        if place == next {
            trees.folders.push(open_mount(&room.mount, &mut owners)?);
        }
        trees.rooms.push(place);
    }
    Ok(trees)
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
                // The end of the pipe comes when the parent has what it wants, and also when it is dead.
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

/// The owner becomes `id`, and every other id below that one stays what it is.
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

/// The new root, once it is made.
pub(super) struct View {
    /// Folders where the payload may write.
    pub(super) writable: Vec<Utf8PathBuf>,
    /// Whether there is a `/proc`.
    pub(super) has_process_list: bool,
    /// File systems of each room, in the order of the rooms.
    pub(super) furniture: Vec<Furniture>,
    /// A whole `/proc` that has no place in the view, if there are rooms.
    pub(super) processes: Option<OwnedFd>,
}

/// File systems of one room, each with its place; not attached yet.
pub(super) struct Furniture {
    pieces: Vec<(OwnedFd, Utf8PathBuf)>,
}

impl Furniture {
    /// Roots of the file systems, all of which may be written to.
    pub(super) fn roots(&self) -> impl Iterator<Item = std::os::fd::BorrowedFd<'_>> {
        self.pieces.iter().map(|(piece, _)| piece.as_fd())
    }

    /// Puts everything in its place, over what is there.
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
    rooms: &[Room],
) -> Result<View, Failure> {
    let (has_process_list, processes) =
        new_root(!rooms.is_empty()).named(VIEW, || "entering an empty root".to_owned())?;
    let mut view = View {
        writable: vec!["/tmp".into(), "/dev/shm".into()],
        has_process_list,
        furniture: vec![],
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
    view.furniture = furnish(&trees.folders, &trees.rooms, rooms, limits)
        .named(VIEW, || "making private layers".to_owned())?;
    close_root().named(VIEW, || "closing the root".to_owned())?;
    Ok(view)
}

/// Makes what each room holds.
fn furnish(
    folders: &[Tree],
    folder_of: &[usize],
    rooms: &[Room],
    limits: &Limits,
) -> io::Result<Vec<Furniture>> {
    for (idx, tree) in folders.iter().enumerate() {
        let lower = format!("{SCRATCH}/folder/{idx}");
        make_folder(Utf8Path::new(&lower))?;
        make_place(tree)?;
        move_to(&tree.detached, &lower)?;
    }
    let base = format!("{SCRATCH}/room");
    let (upper, work, temporary) =
        (format!("{base}/upper"), format!("{base}/work"), format!("{base}/tmp"));
    make_folder(Utf8Path::new(&base))?;
    let mut furniture = vec![];
    for (room, folder) in rooms.iter().zip(folder_of) {
        let lower = format!("{SCRATCH}/folder/{folder}");
        move_to(&memory_file_system(&limits.temporary.to_string(), INODES, "755")?, &base)?;
        for path in [&upper, &work, &temporary] {
            make_folder(Utf8Path::new(path))?;
        }
        fs_err::set_permissions(&temporary, std::fs::Permissions::from_mode(0o1777))?;
        for path in room.hidden.iter().filter_map(|it| it.strip_prefix(&room.mount.inside).ok()) {
            hide(path, Utf8Path::new(&lower), Utf8Path::new(&upper))?;
        }
        let private = overlay(&[("lowerdir", &lower), ("upperdir", &upper), ("workdir", &work)])?;
        let shared = memory_file_system(&size_of_shared(limits), INODES, "1777")?;
        let pieces = vec![
            (private, room.mount.inside.clone()),
            (copy_of(&temporary)?, "/tmp".into()),
            (shared, "/dev/shm".into()),
        ];
        rustix::mount::unmount(base.as_str(), UnmountFlags::DETACH)?;
        furniture.push(Furniture { pieces });
    }
    Ok(furniture)
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

/// The processes of this namespace, and its settings, in no place.
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

/// Puts a tree in its place, which is made if it does not exist.
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

/// Puts the mark of a removed file over what must not be seen: for the job it has never been there. A name that is not
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

/// Puts nothing over what must not be seen, where no layer can take it away: its name stays.
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
