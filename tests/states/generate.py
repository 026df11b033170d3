"""Makes `rain.run.json`: a sweep of `rain.py` of which every state is a run of its own.

`python generate.py NBC PYTHON` builds the notebook once for each state, with the values of the inputs written into
its code, and puts the records together as the runner does.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
NBC, PYTHON = sys.argv[1:]
SOURCE = (HERE / "rain.py").read_text()


def record(days=2, kind="rain", hours=0):
    text = SOURCE.replace("slider(1, 3, value=2", f"slider(1, 3, value={days}")
    text = text.replace('value="rain"', f'value="{kind}"').replace("days.value, label", f"days.value, value={hours}, label")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "rain.py").write_text(text if (days, kind, hours) != (2, "rain", 0) else SOURCE)
        command = [NBC, "build", "rain.py", "--python", PYTHON, "--record", "rec", "-o", "out", "--allow-errors"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return json.loads((folder / "rec/index.run.json").read_text() if (folder / "rec/index.run.json").exists() else next((folder / "rec").iterdir()).read_text())


def object_id(run, cell):
    return re.search(r"object-id='?\\?\"?([\w-]+)", json.dumps(run["cells"][str(cell)])).group(1)


def slider(id, cell, name, first, last, initial, reach):
    values = list(range(first, last + 1))
    return {
        "id": id, "cell": cell, "name": name, "kind": "slider", "values": values, "labels": [str(it) for it in values],
        "initial": values.index(initial), "total": len(values), "reach": reach,
    }


base = record()
DAYS, KIND, HOURS = (object_id(base, cell) for cell in (1, 2, 4))
REACH = {"days": [3, 4, 5, 6, 7, 9], "kind": [3], "hours": [5]}


def hours(days):
    return slider(HOURS, 4, "hours", 0, days, 0, REACH["hours"])


def state(path, run, cells, widgets=()):
    widgets = {"widgets": list(widgets)} if widgets else {}
    return {"path": path, "cells": {str(it): run["cells"][str(it)] for it in cells}, **widgets}


def step(widget, value):
    return {"widget": widget, "value": value}


states = []
for at, days in enumerate((1, 2, 3)):
    path = [] if days == 2 else [step(DAYS, at)]
    if path:
        states.append(state(path, record(days), REACH["days"], [hours(days)]))
    states.append(state([*path, step(KIND, 1)], record(days, "snow"), REACH["kind"]))
    for hour in range(1, days + 1):
        states.append(state([*path, step(HOURS, hour)], record(days, hours=hour), REACH["hours"]))
base["sweep"] = {
    "widgets": [
        slider(DAYS, 1, "days", 1, 3, 2, REACH["days"]),
        {
            "id": KIND, "cell": 2, "name": "kind", "kind": "choice", "values": [["rain"], ["snow"]],
            "labels": ["rain", "snow"], "initial": 0, "total": 2, "reach": REACH["kind"],
        },
        hours(2),
    ],
    "states": states,
}
(HERE / "rain.run.json").write_text(json.dumps(base, indent=1, ensure_ascii=False) + "\n")
