"""The states of a notebook: which inputs it has, which of their values are run, and the runs by fork.

The run itself is one state. Every other state is a fork of it, in which one input is set and what
depends on it runs again; a fork of that fork sets the next input. Forks do not see each other, so
the order in which states run does not matter. What a process made of threads cannot do after a fork
is noticed by its silence or its end; such states run in a process that runs the whole notebook again.
"""

import gc
import json
import os
import random
import resource
import select
import shutil
import signal
import struct
import tempfile
import time
import warnings

from nbc_runner.traces import Traces, open_files, own_files, shares_memory

# Values of one input that are looked at before some of them are chosen.
MOST_LISTED = 10_000
# Deepest nesting of inputs, as parts and as states.
DEEPEST = 8
# Bytes that a state may take beside what the run has; more, where the limit of the notebook leaves more.
LEAST_MEMORY = 256 << 20
# States that are run once more in a process of their own, and fall silent there too, before nobody asks again.
MOST_SLOW = 2
# The same for states that end their process.
MOST_ENDED = 5
# Seconds between two looks at what states leave in files, and the most entries of folders that are looked at so often.
LOOK_EVERY = 0.1
FEW_ENTRIES = 500
# What a process says last; no frame begins so.
END = b"\xff" * 8
# Seconds after which nbc looks again whether processes are alive.
LONGEST_WAIT = 0.5
# Seconds without any work, beside twice what the cells took in the run, after which a fork waits for a lost thread.
PATIENCE = 2
# Bytes of a path in JSON.
LARGEST_PATH = 16_000


class Widget:
    """An input: an object of the notebook whose value a reader could change."""

    def __init__(self, id, cell, kind, **rest):
        self.id = id
        self.cell = cell
        self.kind = kind
        self.name = rest.get("name")
        self.values = rest.get("values") or []
        self.labels = rest.get("labels") or []
        self.initial = rest.get("initial", 0)
        self.total = rest.get("total", len(self.values))
        self.parts = rest.get("parts") or []
        self.reach = rest.get("reach") or frozenset()
        self.keys = rest.get("keys") or []
        # Values with labels, and the present one, before some were left out.
        self.every = None
        # Ids of the inputs that make it anew; `None`: those that reach its cell.
        self.makers = None
        # Why it stays as it is.
        self.why = rest.get("why")

    def count(self):
        """The number of its values."""
        if not self.parts:
            return len(self.values)
        count = 1
        for part in self.parts:
            count *= part.count()
        return count + 1 if self.kind == "form" else count

    def all(self):
        """The number of its values before some were left out."""
        if not self.parts:
            return self.total
        total = 1
        for part in self.parts:
            total *= part.all()
        return total + 1 if self.kind == "form" else total

    def value(self, index):
        """What a browser would send for the value of this index."""
        if self.kind == "form":
            return None if index == 0 else self.parts[0].value(index - 1)
        if not self.parts:
            return self.values[index]
        value = {}
        for key, part in reversed(list(zip(self.keys, self.parts))):
            count = part.count()
            value[key] = part.value(index % count)
            index //= count
        return dict(reversed(value.items()))

    def start(self):
        """Index of the value that it was made with."""
        if self.kind == "form":
            return 0
        if not self.parts:
            return self.initial
        index = 0
        for part in self.parts:
            index = index * part.count() + part.start()
        return index

    def leaves(self):
        """The inputs without parts that it is made of."""
        return [leaf for part in self.parts for leaf in part.leaves()] if self.parts else [self]

    def thin(self, most):
        """Keeps at most `most` values: the first, the last, the present one, and others evenly between.

        Of sets of options or rows those of few, all or none of a size: a reader chooses one after another.
        """
        # What was left out before counts again, so that the rest is even.
        every, present = self.every or (list(zip(self.values, self.labels)), self.initial)
        if self.kind in ("multi", "table"):
            keep = thinned_sets([value for value, _ in every], present, most)
        else:
            keep = thinned(len(every), present, most)
        if len(keep) < len(self.values):
            self.every = (every, present)
            self.initial = keep.index(present)
            self.values = [every[at][0] for at in keep]
            self.labels = [every[at][1] for at in keep]

    def report(self):
        """As the protocol carries it."""
        return {
            "id": self.id,
            "cell": self.cell,
            "name": self.name,
            "kind": self.kind,
            "values": self.values,
            "labels": self.labels,
            "initial": self.start(),
            "total": min(self.all(), (1 << 53) - 1),
            "parts": [part.report() for part in self.parts],
            "reach": sorted(self.reach),
            "makers": None if self.makers is None else sorted(self.makers),
        }


def thinned(count, present, most):
    """Indices of the values that stay."""
    if count <= most or most < 1:
        return list(range(count))
    if most == 1:
        return [present]
    keep = {round(at * (count - 1) / (most - 1)) for at in range(most)}
    if present not in keep:
        # The one nearest to it gives way.
        keep.discard(min(keep - {0, count - 1} or keep, key=lambda at: abs(at - present)))
        keep.add(present)
    return sorted(keep)


def thinned_sets(values, present, most):
    """Indices of the sets that stay; they are given by size, and of each size all or none stay."""
    count = len(values)
    if count <= most or most < 1:
        return list(range(count))
    if most == 1:
        return [present]
    alone = sum(len(it) < 2 for it in values)
    if alone >= most:
        return sorted({*thinned(alone, min(present, alone - 1), most - (present >= alone)), present})
    # The present one and all together have a place in any case.
    sizes = [len(it) for it in values[:-1]]
    keep = max((at for at in range(1, most - 1) if sizes[at] != sizes[at - 1]), default=alone)
    return sorted({*range(min(keep, most - 2)), present, count - 1})


def maximal(sets):
    """The sets that are part of no other one."""
    kept = []
    for one in sorted(set(sets), key=lambda it: (-len(it), sorted(it))):
        if one and not any(one <= other for other in kept):
            kept.append(one)
    return kept


def spaces(widgets, cells=None):
    """For the cells that some input reaches: which inputs they depend on together."""
    by_cell = {}
    for widget in widgets:
        for cell in widget.reach if cells is None else widget.reach & cells:
            by_cell.setdefault(cell, set()).add(widget.id)
    return maximal(frozenset(ids) for ids in by_cell.values())


def steps(sets, order):
    """The inputs to set next, each with the sets that are left to run after it."""
    while sets:
        first = next((it for it in order if any(it in one for one in sets)), None)
        if first is None:
            return
        rest = maximal(one - {first} for one in sets if first in one)
        yield first, rest
        sets = maximal(rest + [one for one in sets if first not in one])


def in_order(widgets):
    """Ids in the order in which inputs are set: what starts a run comes last, since it is over after that."""
    return [it.id for it in sorted(widgets, key=lambda it: it.kind == "run_button")]


def number_of_states(sets, order, counts, known=None):
    """States besides the present one that a sweep over these sets runs."""
    known = {} if known is None else known
    key = tuple(sets)
    if key not in known:
        total = 0
        for first, rest in steps(sets, order):
            total += (counts[first] - 1) * (1 + number_of_states(rest, order, counts, known))
        known[key] = total
    return known[key]


class Plan:
    """Which values of which inputs are run."""

    def __init__(self, widgets, most_states, most_values):
        self.widgets = widgets
        self.order = in_order(widgets)
        counts = {it.id: it.all() for it in widgets}
        self.wanted = self._states(counts)
        for widget in widgets:
            for leaf in widget.leaves():
                if widget.reach:
                    leaf.thin(most_values)
        self._fit(most_states)
        # What is thinned here is thinned as much where a state makes it anew.
        self.most = {
            leaf.id: len(leaf.values)
            for it in widgets for leaf in it.leaves() if len(leaf.values) < leaf.total
        }
        self.states = self._states({it.id: it.count() for it in widgets})

    def _states(self, counts):
        return number_of_states(spaces(self.widgets), self.order, counts)

    def _fit(self, most):
        """Leaves values out, of the inputs that have most of them, until few enough states are left."""
        while self._states({it.id: it.count() for it in self.widgets}) > most:
            leaves = [leaf for it in self.widgets if it.reach for leaf in it.leaves()]
            largest = max(leaves, key=lambda it: len(it.values), default=None)
            if largest is None or len(largest.values) <= 1:
                return
            count = len(largest.values)
            largest.thin(max(1 if count <= 3 else 3, count * 4 // 5))


class Explorer:
    """Runs states by fork, and passes on what they gave."""

    def __init__(self, engine, plan, options, replays=None):
        self.engine = engine
        self.replays = replays
        # States that fell silent or ended: paths, with the sets that are left below them.
        self.silent = []
        # Whether that was the fault of the fork.
        self.is_unsafe = False
        # States that were late there too, and those that ended there too.
        self.slow = 0
        self.ended = 0
        self.session = engine.session
        self.widgets = plan.widgets
        self.most = plan.most
        self.most_values = options["most_values"]
        self.most_states = options["most_states"]
        self.seconds = options["state_seconds"]
        self.is_threaded = len(os.listdir("/proc/self/task")) > 1
        # Whether a fork may wait for a thread that it has not: whoever does is soon asked again elsewhere.
        self.is_watchful = self.is_threaded and replays is not None
        self.soon = 5 + 10 * options.get("run_seconds", 0)
        # Whether states could see each other's files: then they run one after the other.
        self.is_serial = False
        # Files as the run left them.
        self.traces = None
        self.is_first = True
        self.look_at = 0
        self.running = {}
        self.jobs = max(1, options["jobs"])
        self.memory = max(LEAST_MEMORY, (options["memory"] - resident()) // self.jobs)
        self.sent = 0
        # States that there was no more room for.
        self.over = 0
        self.take = None

    def run(self, take):
        """Runs all states; `take(path, frame)` gets what each gave."""
        self.take = take
        if self.replays is not None:
            self.traces, self.is_serial = self.replays.look()
            self.is_unsafe = shares_memory()
        if self.is_serial:
            self.jobs = 1
        self.tokens = os.pipe()
        os.set_blocking(self.tokens[0], False)
        os.write(self.tokens[1], b"t" * (self.jobs - 1))
        self.room, self.temporary, self.orphans = _room(), _temporary(), _orphans()
        # Objects that the collector never visits stay shared between the processes.
        gc.collect()
        gc.freeze()
        self._explore([], self.widgets, spaces(self.widgets), self._accept)
        self._replay()

    def _replay(self):
        """Runs states in processes that run the whole notebook again."""
        while self.silent and self.replays is not None:
            waiting, self.silent = self.silent, []
            self.clean()
            began = time.monotonic()
            self.replays.run(waiting, self._replayed)
            # Meanwhile nobody listened to the others.
            for child in self.running.values():
                child.deadline += time.monotonic() - began
                child.worked += time.monotonic() - began

    def _replayed(self, path, rest, said):
        if "lost" in said:
            self.slow += said["lost"] == "time"
            self.ended += said["lost"] == "end"
            self.is_watchful = self.is_watchful and self.slow < MOST_SLOW
            self._keep(path, self.session.channel.encode({"lost": said["lost"]}))
            return
        self.is_unsafe = True
        below = said.pop("below")
        self._keep(path, self.session.channel.encode(said))
        self.silent += [([*path, {"widget": id, "value": index}], rest) for id, index, rest in below]

    def _accept(self, path, body):
        # What is slow everywhere is not asked again and again. Some libraries end a process that was forked beside
        # their threads.
        is_late = self.slow < MOST_SLOW and body.startswith(b'{"lost":"time"')
        is_over = self.is_threaded and self.ended < MOST_ENDED and body.startswith(b'{"lost":"end"')
        if self.replays is not None and (is_late or is_over):
            try:
                rest = [[str(it) for it in one] for one in json.loads(body)["rest"]]
            except Exception:
                self._keep(path, body)
                return
            self.silent.append((path, rest))
            if not self.is_unsafe:
                # One is enough to know; the others would each take as long.
                self._replay()
            return
        self._keep(path, body)

    def _keep(self, path, body):
        if self.sent >= self.most_states:
            self.over += 1
            if self.over < self.most_states:
                self.take(path, self.session.channel.encode({"lost": "limit"}))
            return
        self.sent += 1
        self.take(path, body)

    def _explore(self, path, widgets, sets, take):
        """Runs the states below the present one. In a child, `take` writes to the parent."""
        work = self.tasks(widgets, sets)
        if not work:
            return
        work.reverse()
        running = self.running = {}
        traces = Traces() if self.is_serial else None
        # All forks find this process as it is now, so what they are given is made once.
        self.numbers, self.limit = random.getstate(), _data() + self.memory
        self.files = open_files(self.session.console.descriptors())
        while work or running:
            if not running and self.is_crowded():
                self.clean()
            if self.is_unsafe:
                self.silent += [([*path, it.step()], [sorted(one) for one in it.rest]) for it in work]
                work.clear()
            while work and (
                not running or len(running) < self.jobs and not self.is_crowded() and self._token()
            ):
                task = work.pop()
                child = self._start(path, widgets, task, list(running))
                if child is not None:
                    child.has_token = bool(running)
                    running[child.pipe] = child
                    continue
                # No process is to be had now.
                if running:
                    os.write(self.tokens[1], b"t")
                    work.append(task)
                    break
                self.clean()
                if task.is_second:
                    self._lose(path, task, "process", take)
                else:
                    task.is_second = True
                    work.append(task)
            failed = self._wait(running, path, take) if running else ()
            if self.has_new_traces():
                # From here on one after the other.
                self.is_serial, self.jobs = True, 1
            if self.is_serial and not running:
                traces = traces or self.traces
                traces.restore()
            for task in failed:
                # What others did to it ends with them: it has a second chance, by itself.
                if task.is_second or task.why == "time" or not (running or self.is_crowded()):
                    self._lose(path, task, task.why, take)
                else:
                    task.is_second = True
                    work.insert(0, task)

    def _token(self):
        try:
            return bool(os.read(self.tokens[0], 1))
        except OSError:
            return False

    def _start(self, path, widgets, task, siblings):
        pipe, childs_pipe = os.pipe()
        try:
            pid = self._fork()
        except OSError:
            os.close(pipe)
            os.close(childs_pipe)
            return None
        if pid == 0:
            try:
                os.setpgid(0, 0)
                os.close(pipe)
                for sibling in siblings:
                    os.close(sibling)
                if self.replays is not None:
                    self.replays.close()
                    self.replays = None
                # Python gives each fork a seed of its own; states must not differ by it.
                random.setstate(self.numbers)
                limit_data(self.limit)
                self._be(path, widgets, task, childs_pipe)
            finally:
                os._exit(0)
        os.close(childs_pipe)
        now = time.monotonic()
        seconds = min(self.seconds, self.soon) if self.is_watchful else self.seconds
        expected = sum(self.session.seconds.get(it, 0) for it in task.widget.reach)
        return _Child(pid, pipe, task, now + seconds, now, PATIENCE + 2 * expected)

    def _fork(self):
        if not self.is_threaded:
            return os.fork()
        with warnings.catch_warnings():
            # That threads do not survive is what replays are for.
            warnings.simplefilter("ignore")
            return os.fork()

    def _be(self, path, widgets, task, pipe):
        """The life of a child: one state, then those below it."""
        own_files(self.files)
        self.session.fork()
        # Only the first process looks whether states leave something.
        self.is_first = False
        path = [*path, task.step()]
        cells, made = self.engine.apply(task.widget, task.index)
        present, sets = self.below(path, widgets, task.widget, task.rest, made)
        body = self.session.channel.encode({"cells": cells, "widgets": [it.report() for it in made]})
        if len(body) > self.session.state_bytes:
            body = self.session.channel.encode({"lost": "size"})
        _write(pipe, [], body)
        self._explore([], present, sets, lambda path, body: _write(pipe, path, body))
        # What it started may outlive it, and hold the pipe open.
        os.write(pipe, END)

    def merged(self, widgets, made):
        """The inputs after some were made anew."""
        for one in made:
            for leaf in one.leaves():
                leaf.thin(self.most.get(leaf.id, self.most_values))
        replaced = {it.id: it for it in made}
        gone = self.engine.vanished(widgets)
        present = [replaced.pop(it.id, it) for it in widgets if it.id not in gone]
        return present + list(replaced.values())

    def below(self, path, widgets, widget, rest, made):
        """The inputs that a state leaves to set, and the sets of them."""
        present = self.merged(widgets, made)
        # What starts a run is over when the next input is set.
        if widget.kind == "run_button" or len(path) >= DEEPEST:
            return present, []
        fixed = {step["widget"] for step in path}
        allowed = {it.id for it in made}.union(*rest) - fixed
        present = [it for it in present if it.id in allowed]
        return present, spaces(present, frozenset(widget.reach))

    def tasks(self, widgets, sets):
        """What to run next."""
        by_id = {it.id: it for it in widgets}
        counts, order = {it.id: it.count() for it in widgets}, in_order(widgets)
        # Small ones first: should time run out, more inputs work.
        after = sorted(steps(sets, order), key=lambda it: number_of_states(it[1], order, counts))
        return [
            _Task(by_id[first], index, rest)
            for first, rest in after
            for index in range(by_id[first].count())
            if index != by_id[first].start()
        ]

    def _wait(self, running, path, take):
        """Waits for a child to say something, to end or to be late; gives tasks of which nothing came."""
        timeout = min(it.deadline for it in running.values()) - time.monotonic()
        failed = []
        for pipe in select.select(list(running), [], [], min(max(0.0, timeout), LONGEST_WAIT))[0]:
            child = running[pipe]
            data = os.read(pipe, 1 << 20)
            child.said += data
            frames, child.said = _frames(child.said, self.session.state_bytes)
            for below, body in frames:
                child.has_said = True
                # Below it, a state may take its time, and a second chance.
                child.deadline = time.monotonic() + 3 * self.seconds
                take([*path, child.task.step(), *below], body)
            if child.said.startswith(END):
                data = b""
            if not data or len(child.said) > self.session.state_bytes + LARGEST_PATH:
                failed += self._end(running, child, "end")
        now = time.monotonic()
        for child in [it for it in running.values() if it.is_dead()]:
            failed += self._end(running, child, "end")
        for child in list(running.values()):
            if child.deadline <= now or self.is_watchful and child.is_stuck(now):
                failed += self._end(running, child, "time")
        return failed

    def _end(self, running, child, why):
        del running[child.pipe]
        end_group(child.pid)
        os.close(child.pipe)
        if child.has_token:
            os.write(self.tokens[1], b"t")
        if child.has_said:
            return []
        child.task.why = why
        return [child.task]

    def _lose(self, path, task, why, take):
        rest = [sorted(one) for one in task.rest]
        take([*path, task.step()], self.session.channel.encode({"lost": why, "rest": rest}))

    def has_new_traces(self):
        """Whether a state left something in the files; looked at now and then, where that is quick."""
        now = time.monotonic()
        if self.traces is None or not self.is_first or self.is_serial or now < self.look_at:
            return False
        self.look_at = now + LOOK_EVERY
        return self.traces.visited <= FEW_ENTRIES and not self.traces.are_there()

    def is_crowded(self):
        """Whether states left so much behind that others have too little room."""
        return self.room - _room() > self.room // 4

    def clean(self):
        """Removes what states left behind: files, and processes that have lost their parent."""
        for pid in _orphans():
            if pid not in self.orphans:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        for name in _temporary() - self.temporary:
            name = os.path.join(tempfile.gettempdir(), name)
            if os.path.isdir(name) and not os.path.islink(name):
                shutil.rmtree(name, ignore_errors=True)
            else:
                try:
                    os.remove(name)
                except OSError:
                    pass
        # What cannot be removed must not keep states waiting.
        self.room = min(self.room, _room())


class _Task:
    """One state to be run."""

    def __init__(self, widget, index, rest):
        self.widget = widget
        self.index = index
        self.rest = rest
        self.is_second = False
        self.why = "end"

    def step(self):
        return {"widget": self.widget.id, "value": self.index}


class _Child:
    def __init__(self, pid, pipe, task, deadline, now, patience):
        self.pid = pid
        self.pipe = pipe
        self.task = task
        self.deadline = deadline
        self.patience = patience
        # Ticks of CPU time when it was last seen to work.
        self.ticks = None
        self.worked = now
        self.said = b""
        self.has_said = False
        self.has_token = False

    def is_stuck(self, now):
        """Whether it has long done nothing, nor has it processes that might."""
        if self.has_said:
            return False
        ticks = _ticks(self.pid)
        if ticks is None or ticks != self.ticks:
            self.ticks, self.worked = ticks, now
        return now - self.worked > self.patience

    def is_dead(self):
        """Whether it ended, and nothing that it said is left to read."""
        if select.select([self.pipe], [], [], 0)[0]:
            return False
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True


def end_group(pid):
    """Ends a fork, and with it whatever it started."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            pass
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass


def write_all(pipe, data):
    """Writes all of it, however much a pipe takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(pipe, rest):]


def limit_memory(more):
    """Lets this process have so many bytes more than it has."""
    limit_data(_data() + more)


def limit_data(limit):
    """Lets this process have so many bytes of data."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _data():
    """Bytes of data that this process has, as the kernel's limit counts them; very many where it does not say."""
    with open("/proc/self/status", "rb") as file:
        lines = (line.split() for line in file if line.startswith(b"VmData:"))
        return next((int(line[1]) << 10 for line in lines), 1 << 60)


def resident():
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _ticks(pid):
    """CPU time of a process, in ticks; `None` while it has children."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            if file.read(1):
                return None
        with open(f"/proc/{pid}/stat", "rb") as file:
            return sum(map(int, file.read().rpartition(b")")[2].split()[11:15]))
    except (OSError, ValueError):
        return None


def _room():
    found = os.statvfs(tempfile.gettempdir())
    return found.f_bavail * found.f_frsize


def _temporary():
    try:
        return set(os.listdir(tempfile.gettempdir()))
    except OSError:
        return set()


def _orphans():
    """Processes whose parent is the first one of the sandbox."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (1, os.getpid()):
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    if file.read().rpartition(b")")[2].split()[1] == b"1":
                        found.add(int(name))
            except OSError:
                continue
    return found


def _write(pipe, path, body):
    path = json.dumps(path).encode()
    write_all(pipe, struct.pack(">II", len(path), len(body)) + path + body)


def _is_path(steps):
    """Whether these are steps as the protocol has them."""
    return isinstance(steps, list) and len(steps) <= DEEPEST and all(
        isinstance(step, dict)
        and step.keys() == {"widget", "value"}
        and isinstance(step["widget"], str)
        and type(step["value"]) is int
        and 0 <= step["value"] < 1 << 32
        for step in steps
    )


def _frames(data, most):
    """The whole frames in what a child wrote: paths below its own, and bodies of at most `most` bytes; and the rest."""
    frames = []
    while len(data) >= 8 and not data.startswith(END):
        path, body = struct.unpack_from(">II", data)
        if body > most or path > LARGEST_PATH:
            return frames, b"\0" * (most + LARGEST_PATH + 1)
        if len(data) < 8 + path + body:
            break
        try:
            below = json.loads(data[8:8 + path])
        except (ValueError, RecursionError):
            below = None
        if _is_path(below):
            frames.append((below, data[8 + path:8 + path + body]))
        data = data[8 + path + body:]
    return frames, data
