"""Runs one probe: `main.py NAME COORDINATES VISIBLE`; or prints the table of all: `main.py list`.

COORDINATES is what `host.py` says about the host, VISIBLE a folder that the run may read. The last line
printed is `CONTAINED detail` or `ESCAPED detail`.
"""

import importlib
import json
import os
import sys

from probe import PROBES

GROUPS = ["files", "processes", "network", "kernel", "resources", "inherited"]


def main():
    if sys.argv[1] == "list":
        for group in GROUPS:
            importlib.import_module(group)
        print(json.dumps([it.as_row(name) for name, it in PROBES.items()]))
        return
    importlib.import_module(sys.argv[1].split(".")[0])
    host = json.loads(sys.argv[2])
    host["visible"] = sys.argv[3]
    try:
        evidence = PROBES[sys.argv[1]].attack(host)
    except OSError as error:
        word, detail = "CONTAINED", f"{type(error).__name__}: {error.strerror or error}"
    except MemoryError:
        word, detail = "CONTAINED", "MemoryError"
    else:
        word, detail = ("CONTAINED", "nothing came of it") if evidence is None else ("ESCAPED", evidence)
    line = f"\n{word} {detail!r}\n".encode("ascii", "backslashreplace")
    sys.stdout.flush()
    os.write(1, line)
    # Threads and children of a probe must not keep its word back.
    os._exit(0)


if __name__ == "__main__":
    main()
