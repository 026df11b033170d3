"""Inputs of a notebook: objects whose value a reader could change, and the values that they can have."""
