"""A state that is to be run, and the fork that runs it."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

from nbc_runner.states import processes

if TYPE_CHECKING:
    from nbc_runner.inputs.values import Widget
    from nbc_runner.protocol.messages import Loss, Step
    from nbc_runner.states.plan import Ids


class Task:
    """One state to be run."""

    def __init__(self, widget: Widget, index: int, rest: list[Ids]) -> None:
        self.widget = widget
        self.index = index
        self.rest = rest
        self.is_second = False
        self.why: Loss = "end"
        # Whether nothing ran beside it.
        self.was_alone = False

    def step(self) -> Step:
        """The step that leads to it."""
        return {"widget": self.widget.id, "value": self.index}


class Child:
    """A fork, as its parent sees it."""

    def __init__(self, pid: int, pipe: int, task: Task, deadline: float, now: float, patience: float) -> None:
        self.pid = pid
        self.pipe = pipe
        self.task = task
        self.deadline = deadline
        self.patience = patience
        # Ticks of CPU time when it was last seen to work.
        self.ticks: int | None = None
        self.worked = now
        self.said = b""
        self.has_said = False
        self.has_token = False
        self.is_alone = True

    def is_stuck(self, now: float) -> bool:
        """Whether it has long done nothing, nor has it processes that might."""
        if self.has_said:
            return False
        ticks = processes.ticks(self.pid)
        if ticks is None or ticks != self.ticks:
            self.ticks, self.worked = ticks, now
        return now - self.worked > self.patience

    def is_dead(self) -> bool:
        """Whether it ended, and nothing that it said is left to read."""
        if select.select([self.pipe], [], [], 0)[0]:
            return False
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True
