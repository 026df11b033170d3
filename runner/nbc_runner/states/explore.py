"""Runs the states of a notebook.

The run itself is one state. Every other state is a fork of it, in which one input is set and the cells that
depend on it run again; a fork of that fork sets the next input. Forks do not see each other, so
the order in which states run does not matter. Work that a process made of threads cannot do after a fork
is noticed by its silence or its end; such states run in a process that runs the whole notebook again.
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import time
import warnings
from typing import TYPE_CHECKING

from nbc_runner.protocol.constants import constants
from nbc_runner.states import processes, wire
from nbc_runner.states.child import Child, Task
from nbc_runner.states.plan import in_order, number_of_states, spaces, steps
from nbc_runner.states.traces import Traces, open_files, own_files, shares_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from nbc_runner.engine import Engine
    from nbc_runner.inputs.values import Widget
    from nbc_runner.protocol.messages import Loss, Options, Step
    from nbc_runner.states.plan import Ids, Plan
    from nbc_runner.states.replay import Replays

    # Takes the result of a state: its path, and a message.
    Take: TypeAlias = Callable[[list[Step], bytes], None]

# States that are run once more in a process of their own, and fall silent there too, before nobody asks again.
MOST_SLOW = 2
# The same for states that end their process.
MOST_ENDED = 5
# Seconds between two looks at files that states leave, and the most entries of folders that are looked at so often.
LOOK_EVERY = 0.1
FEW_ENTRIES = 500
# Seconds after which nbc looks again whether processes are alive.
LONGEST_WAIT = 0.5


class Explorer:
    """Runs states by fork, and passes on what they gave."""

    def __init__(self, engine: Engine, plan: Plan, options: Options, replays: Replays | None = None) -> None:
        self.engine = engine
        self.replays = replays
        # States that fell silent or ended: paths, with the sets that are left below them.
        self.silent: list[tuple[list[Step], list[list[str]]]] = []
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
        self.traces: Traces | None = None
        self.is_first = True
        self.look_at = 0.0
        self.running: dict[int, Child] = {}
        self.jobs = max(1, options["jobs"])
        self.memory = max(processes.LEAST_MEMORY, (options["memory"] - processes.resident()) // self.jobs)
        self.sent = 0
        # States that there was no more room for.
        self.over = 0
        self.take: Take = lambda path, body: None

    def run(self, take: Take) -> None:
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
        self.leftovers = processes.Leftovers()
        # Objects that the collector never visits stay shared between the processes.
        gc.collect()
        gc.freeze()
        self._explore([], self.widgets, spaces(self.widgets), self._accept)
        self._replay()

    def _replay(self) -> None:
        """Runs states in processes that run the whole notebook again."""
        while self.silent and self.replays is not None:
            waiting, self.silent = self.silent, []
            self.leftovers.remove()
            began = time.monotonic()
            self.replays.run(waiting, self._replayed)
            # Meanwhile nobody listened to the others.
            for child in self.running.values():
                child.is_alone = False
                child.deadline += time.monotonic() - began
                child.worked += time.monotonic() - began

    def _replayed(self, path: list[Step], rest: list[list[str]], said: dict[str, Any]) -> None:
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

    def _accept(self, path: list[Step], body: bytes) -> None:
        # States that are slow everywhere are not tried again and again. Some libraries end a process that was
        # forked beside their threads.
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

    def _keep(self, path: list[Step], body: bytes) -> None:
        if self.sent >= self.most_states:
            self.over += 1
            if self.over < self.most_states:
                self.take(path, self.session.channel.encode({"lost": "limit"}))
            return
        self.sent += 1
        self.take(path, body)

    def _explore(self, path: list[Step], widgets: list[Widget], sets: list[Ids], take: Take) -> None:
        """Runs the states below the present one. In a child, `take` writes to the parent."""
        work = self.tasks(widgets, sets)
        if not work:
            return
        work.reverse()
        running: dict[int, Child] = {}
        self.running = running
        traces = Traces() if self.is_serial else None
        # All forks find this process as it is now, so what they are given is made once.
        self.numbers, self.limit = random.getstate(), processes.data() + self.memory
        self.files = open_files(self.session.console.descriptors())
        while work or running:
            if not running and self.leftovers.are_many():
                self.leftovers.remove()
            if self.is_unsafe:
                self.silent += [([*path, it.step()], [sorted(one) for one in it.rest]) for it in work]
                work.clear()
            while work and (not running or (self._may_start_beside(work[-1], running) and self._token())):
                task = work.pop()
                child = self._start(path, widgets, task, list(running))
                if child is not None:
                    child.has_token = bool(running)
                    running[child.pipe] = child
                    for one in running.values():
                        one.is_alone = one.is_alone and len(running) == 1
                    continue
                # No process is to be had now.
                if running:
                    os.write(self.tokens[1], b"t")
                    work.append(task)
                    break
                self.leftovers.remove()
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
                if traces is not None:
                    traces.restore()
            for task in failed:
                # Harm that others did to it ends with them: it has a second chance, by itself.
                if task.is_second or task.why == "time" or (task.was_alone and not self.leftovers.are_many()):
                    self._lose(path, task, task.why, take)
                else:
                    task.is_second = True
                    work.insert(0, task)

    def _may_start_beside(self, task: Task, running: dict[int, Child]) -> bool:
        with_it = (task, *(it.task for it in running.values()))
        return len(running) < self.jobs and not any(it.is_second for it in with_it) and not self.leftovers.are_many()

    def _token(self) -> bool:
        try:
            return bool(os.read(self.tokens[0], 1))
        except OSError:
            return False

    def _start(self, path: list[Step], widgets: list[Widget], task: Task, siblings: list[int]) -> Child | None:
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
                processes.limit_data(self.limit)
                self._be(path, widgets, task, childs_pipe)
            finally:
                os._exit(0)
        os.close(childs_pipe)
        now = time.monotonic()
        seconds = min(self.seconds, self.soon) if self.is_watchful else self.seconds
        expected = sum(self.session.seconds.get(it, 0) for it in task.widget.reach)
        return Child(pid, pipe, task, now + seconds, now, processes.PATIENCE + 2 * expected)

    def _fork(self) -> int:
        if not self.is_threaded:
            return os.fork()
        with warnings.catch_warnings():
            # That threads do not survive is what replays are for.
            warnings.simplefilter("ignore")
            return os.fork()

    def _be(self, path: list[Step], widgets: list[Widget], task: Task, pipe: int) -> None:
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
        wire.write(pipe, [], body)
        self._explore([], present, sets, lambda path, body: wire.write(pipe, path, body))
        # Processes that it started may outlive it, and hold the pipe open.
        os.write(pipe, wire.END)

    def merged(self, widgets: list[Widget], made: list[Widget]) -> list[Widget]:
        """The inputs after some were made anew."""
        for one in made:
            for leaf in one.leaves():
                leaf.thin(self.most.get(leaf.id, self.most_values))
        replaced = {it.id: it for it in made}
        gone = self.engine.vanished(widgets)
        present = [replaced.pop(it.id, it) for it in widgets if it.id not in gone]
        return present + list(replaced.values())

    def below(
        self,
        path: list[Step],
        widgets: list[Widget],
        widget: Widget,
        rest: list[Ids],
        made: list[Widget],
    ) -> tuple[list[Widget], list[Ids]]:
        """The inputs that a state leaves to set, and the sets of them."""
        present = self.merged(widgets, made)
        # A click on a run button is over when the next input is set.
        if widget.kind == "run_button" or len(path) >= constants.deepest_inputs:
            return present, []
        fixed = {step["widget"] for step in path}
        allowed = {it.id for it in made}.union(*rest) - fixed
        present = [it for it in present if it.id in allowed]
        return present, spaces(present, frozenset(widget.reach))

    def tasks(self, widgets: list[Widget], sets: list[Ids]) -> list[Task]:
        """The states to run next."""
        by_id = {it.id: it for it in widgets}
        counts, order = {it.id: it.count() for it in widgets}, in_order(widgets)
        # Small ones first: should time run out, more inputs work.
        after = sorted(steps(sets, order), key=lambda it: number_of_states(it[1], order, counts))
        return [
            Task(by_id[first], index, rest)
            for first, rest in after
            for index in range(by_id[first].count())
            if index != by_id[first].start()
        ]

    def _wait(self, running: dict[int, Child], path: list[Step], take: Take) -> list[Task]:
        """Waits for a child to say something, to end or to be late; gives tasks of which nothing came."""
        timeout = min(it.deadline for it in running.values()) - time.monotonic()
        failed: list[Task] = []
        for pipe in select.select(list(running), [], [], min(max(0.0, timeout), LONGEST_WAIT))[0]:
            child = running[pipe]
            data = os.read(pipe, 1 << 20)
            child.said += data
            frames, child.said = wire.frames(child.said, self.session.state_bytes)
            for below, body in frames:
                child.has_said = True
                # Below it, a state may take its time, and a second chance.
                child.deadline = time.monotonic() + 3 * self.seconds
                take([*path, child.task.step(), *below], body)
            if child.said.startswith(wire.END):
                data = b""
            if not data or len(child.said) > self.session.state_bytes + wire.LARGEST_PATH:
                failed += self._end(running, child, "end")
        now = time.monotonic()
        for child in [it for it in running.values() if it.is_dead()]:
            failed += self._end(running, child, "end")
        for child in list(running.values()):
            if child.deadline <= now or (self.is_watchful and child.is_stuck(now)):
                failed += self._end(running, child, "time")
        return failed

    def _end(self, running: dict[int, Child], child: Child, why: Loss) -> list[Task]:
        del running[child.pipe]
        processes.end_group(child.pid)
        os.close(child.pipe)
        if child.has_token:
            os.write(self.tokens[1], b"t")
        if child.has_said:
            return []
        child.task.why, child.task.was_alone = why, child.is_alone
        return [child.task]

    def _lose(self, path: list[Step], task: Task, why: Loss, take: Take) -> None:
        rest = [sorted(one) for one in task.rest]
        take([*path, task.step()], self.session.channel.encode({"lost": why, "rest": rest}))

    def has_new_traces(self) -> bool:
        """Whether a state left something in the files; looked at now and then, where that is quick."""
        now = time.monotonic()
        if self.traces is None or not self.is_first or self.is_serial or now < self.look_at:
            return False
        self.look_at = now + LOOK_EVERY
        return self.traces.visited <= FEW_ENTRIES and not self.traces.are_there()
