"""States of a notebook: which are run, how each is run in a fork, and how results come back."""
