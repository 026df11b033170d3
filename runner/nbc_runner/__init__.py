"""Runs one notebook inside the sandbox and reports every cell over a socket.

Standard library only, plus the engine (marimo or IPython) of the notebook's environment. All modules have this one
package as their prefix, so that none stands in the way of a module of the notebook.
"""
