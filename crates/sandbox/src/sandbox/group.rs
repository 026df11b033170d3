//! A control group of the run's own, where nbc may make one: the kernel then counts the memory of the
//! tree to the page, with what pipes and page tables hold, and stops it before the watch could see it.
//!
//! Groups of version 2 need a service manager that delegates its group, as `systemd-run --user --scope -p
//! Delegate=yes` does; those of version 1 need a hierarchy of memory that nbc may write to, as root may.
//! Elsewhere the watch alone holds the limit.
//! Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.

use std::io;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use crate::job::Limits;

/// The control group of one run; removed with this value.
#[derive(Debug)]
pub(super) struct Group {
    folder: Utf8PathBuf,
    version: Version,
}

/// Versions of the kernel's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Controllers that the group needs.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// Start of a group's name, followed by the process number of the nbc that made it.
const PREFIX: &str = "nbc-";
/// Time that killed processes have to leave a group.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Group {
    /// Makes a group below the one that nbc is in.
    ///
    /// # Errors
    /// Nothing is delegated to nbc, and no hierarchy of version 1 can be written to: the usual case of
    /// ordinary users.
    pub(super) fn make(limits: &Limits) -> io::Result<Group> {
        Group::of_two(limits).or_else(|refusal| Group::of_one(limits).map_err(|_| refusal))
    }

    fn of_two(limits: &Limits) -> io::Result<Group> {
        let group = Group::below(&delegated()?, Version::Two)?;
        group.write("memory.max", &limits.memory.to_string())?;
        // The outer and the first process are inside as well.
        group.write("pids.max", &(u64::from(limits.processes) + 2).to_string())?;
        // A kernel without swap has no such file, and needs none.
        drop(group.write("memory.swap.max", "0"));
        Ok(group)
    }

    fn of_one(limits: &Limits) -> io::Result<Group> {
        let group = Group::below(&own_group(Version::One)?, Version::One)?;
        let most = limits.memory.to_string();
        // It holds page tables, pipes and sockets as well: `memory.kmem.limit_in_bytes` has no effect any more.
        group.write("memory.limit_in_bytes", &most)?;
        // Memory and swap together. A kernel without swap has no such file, and needs none.
        drop(group.write("memory.memsw.limit_in_bytes", &most));
        // The setting is inherited, and processes that nobody kills would wait for ever.
        group.write("memory.oom_control", "0")?;
        Ok(group)
    }

    fn below(parent: &Utf8Path, version: Version) -> io::Result<Group> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        remove_left_behind(parent);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs_err::create_dir(&folder)?;
        Ok(Group { folder, version })
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs_err::write(self.folder.join(file), value)
    }

    /// Starts a process inside the group, with all that it starts from now on; drops the group if it cannot be
    /// entered. A process of version 2 has to wait for its first order until this returns.
    pub(super) fn start(group: &mut Option<Group>, command: &mut Command) -> io::Result<Child> {
        // Moving a process waits for every processor, 10 ms and more. A thread that moves itself waits for
        // nobody, and its children begin where it is; nbc's memory is counted where nbc's first thread is.
        let is_inside = group
            .as_ref()
            .is_some_and(|it| it.version == Version::One && it.write("tasks", "0").is_ok());
        let child = command.spawn();
        if is_inside && let Some(parent) = group.as_ref().and_then(|it| it.folder.parent()) {
            // Nobody can take away the group that nbc's other threads are in.
            drop(fs_err::write(parent.join("tasks"), "0"));
        }
        let is_counted = match (&child, &*group) {
            (Ok(child), Some(it)) if it.version == Version::Two => {
                it.write("cgroup.procs", &child.id().to_string()).is_ok()
            }
            _ => is_inside,
        };
        if !is_counted {
            *group = None;
        }
        child
    }

    /// Whether layers tell of it. What a site says of its run must not depend on who built it, and of version 1
    /// only root has one.
    pub(super) fn is_told(&self) -> bool {
        self.version == Version::Two
    }

    /// Number of processes that the kernel has killed for want of memory.
    pub(super) fn kills(&self) -> u64 {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let events = fs_err::read_to_string(self.folder.join(file));
        events.map_or(0, |it| count_of(&it, "oom_kill"))
    }

    /// The most memory that it ever held, in bytes; nothing where the kernel is too old to tell.
    pub(super) fn peak(&self) -> u64 {
        let file = match self.version {
            Version::One => "memory.max_usage_in_bytes",
            Version::Two => "memory.peak",
        };
        let most = fs_err::read_to_string(self.folder.join(file)).ok();
        most.and_then(|it| it.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that is still in it has been killed, and leaves within moments; on a busy machine, where
        // the kernel takes much memory back, within seconds. A group that stays is for the next nbc to remove.
        let mut pause = Duration::from_millis(1);
        let start = Instant::now();
        while let Err(error) = fs_err::remove_dir(&self.folder)
            && error.kind() == io::ErrorKind::ResourceBusy
            && start.elapsed() < LONGEST_WAIT
        {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
        if let (Version::Two, Some(parent)) = (self.version, self.folder.parent()) {
            leave_leaf(parent);
        }
    }
}

/// Takes nbc back to the group that it came from, so that nothing of it is left at the end.
fn leave_leaf(parent: &Utf8Path) {
    let itself = std::process::id().to_string();
    let leaf = parent.join(format!("{PREFIX}{itself}"));
    if leaf.is_dir() {
        let steps = || {
            // A group that hands controllers on may hold no process.
            let unwanted = CONTROLLERS.map(|it| format!("-{it}")).join(" ");
            fs_err::write(parent.join("cgroup.subtree_control"), unwanted)?;
            fs_err::write(parent.join("cgroup.procs"), &itself)?;
            fs_err::remove_dir(&leaf)
        };
        // Another run of this nbc still has a group here; its end does the same.
        let _: io::Result<()> = steps();
    }
}

/// The group in which nbc may make others that count memory and processes.
fn delegated() -> io::Result<Utf8PathBuf> {
    let own = own_group(Version::Two)?;
    if has_all(&own, "cgroup.subtree_control")? {
        return Ok(own);
    }
    // A group that holds processes cannot hand its controllers on, so nbc has to leave it for one below.
    let itself = std::process::id().to_string();
    // Beside a hierarchy of version 1 that counts memory, version 2 has nothing to hand on.
    let can_hand_on = has_all(&own, "cgroup.controllers")?;
    if !can_hand_on || fs_err::read_to_string(own.join("cgroup.procs"))?.trim() != itself {
        let message = "the memory controller is not delegated to nbc's control group";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let leaf = own.join(format!("{PREFIX}{itself}"));
    fs_err::create_dir(&leaf)?;
    fs_err::write(leaf.join("cgroup.procs"), itself)?;
    let wanted = CONTROLLERS.map(|it| format!("+{it}")).join(" ");
    fs_err::write(own.join("cgroup.subtree_control"), wanted)?;
    Ok(own)
}

fn has_all(group: &Utf8Path, list: &str) -> io::Result<bool> {
    let listed = fs_err::read_to_string(group.join(list))?;
    Ok(CONTROLLERS.iter().all(|it| listed.split_whitespace().any(|found| found == *it)))
}

/// The folder of the group that nbc may make others in: its own, or the one above a leaf that nbc made.
fn own_group(version: Version) -> io::Result<Utf8PathBuf> {
    let groups = fs_err::read_to_string("/proc/self/cgroup")?;
    let mounts = fs_err::read_to_string("/proc/self/mountinfo")?;
    let folder = folder_of(&groups, &mounts, version)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no cgroup v2 here"))?;
    let leaf = format!("{PREFIX}{}", std::process::id());
    Ok(if folder.file_name() == Some(&leaf) {
        folder.parent().map(Utf8Path::to_owned).unwrap_or(folder)
    } else {
        folder
    })
}

fn folder_of(groups: &str, mounts: &str, version: Version) -> Option<Utf8PathBuf> {
    let counts_memory = |list: &str| list.split(',').any(|it| it == "memory");
    let group = groups.lines().find_map(|line| match version {
        Version::One => {
            let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
            counts_memory(controllers).then_some(group)
        }
        Version::Two => line.strip_prefix("0::"),
    })?;
    let (root, place) = mounts.lines().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let is_it = match version {
            Version::One => {
                kind.starts_with("cgroup ") && kind.rsplit(' ').next().is_some_and(counts_memory)
            }
            Version::Two => kind.starts_with("cgroup2 "),
        };
        is_it.then_some((fields.next()?, fields.next()?))
    })?;
    let below = Utf8Path::new(group).strip_prefix(root).ok()?;
    Some(Utf8Path::new(place).join(below))
}

/// Groups of an nbc that was killed; the kernel removes none that holds a process.
fn remove_left_behind(parent: &Utf8Path) {
    let Ok(entries) = parent.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let owner = entry.file_name().strip_prefix(PREFIX);
        let owner = owner.and_then(|it| it.split('-').next()?.parse::<u32>().ok());
        let Some(owner) = owner else { continue };
        if !Utf8PathBuf::from(format!("/proc/{owner}")).exists() {
            drop(fs_err::remove_dir(entry.path()));
        }
    }
}

fn count_of(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(found, _)| *found == name).and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_below_its_mount() {
        let mounts = "\
25 1 0:23 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro\n\
30 25 0:27 /user.slice /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n\
31 25 0:28 / /sys/fs/cgroup/pids rw shared:11 - cgroup cgroup rw,pids\n\
32 25 0:29 / /sys/fs/cgroup/memory rw shared:12 - cgroup cgroup rw,cpuacct,memory\n";
        let groups = "8:pids:/x\n7:cpuacct,memory:/y/z\n0::/user.slice/run-1.scope\n";
        let found = |groups, version| folder_of(groups, mounts, version);
        let two = found(groups, Version::Two);
        assert_eq!(two, Some("/sys/fs/cgroup/unified/run-1.scope".into()));
        assert_eq!(found("0::/other\n", Version::Two), None);
        assert_eq!(found("4:memory:/\n", Version::Two), None);
        assert_eq!(found(groups, Version::One), Some("/sys/fs/cgroup/memory/y/z".into()));
        assert_eq!(found("8:pids:/x\n0::/\n", Version::One), None);
    }

    #[test]
    fn events_are_counted_by_their_whole_name() {
        let events = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(count_of(events, "oom_kill"), 2);
        assert_eq!(count_of(events, "none"), 0);
        assert_eq!(count_of("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "oom_kill"), 1);
    }
}
