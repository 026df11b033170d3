"""Unit tests of the runner's pure parts: `python -m unittest discover -s tests -t .` in `runner/`."""
