"""Starts the runner: `python -s /runner/main.py`, with the number of a socket in `NBC_CHANNEL`.

The package is the only thing that is ever imported from this folder: left on the search path, the folder would come
before modules of the notebook. (`-P` does the same, but only from Python 3.11 on.)
"""

import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [FOLDER, *(entry for entry in sys.path if entry != FOLDER)]

import nbc_runner  # noqa: E402, F401

sys.path.remove(FOLDER)

from nbc_runner import conversation  # noqa: E402

if __name__ == "__main__":
    status = conversation.main()
    # Threads and exit handlers of the notebook's libraries have no work left that a page needs, and
    # some would wait for ever; the sandbox ends what is still running.
    os._exit(status)
