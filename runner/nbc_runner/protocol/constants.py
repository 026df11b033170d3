"""Numbers and names that both sides of the protocol use. They are written in nbc, and come with its first message."""

from __future__ import annotations

from typing import Any


class Constants:
    """The constants, once nbc has told them."""

    # Deepest nesting of inputs, as parts and as states.
    deepest_inputs: int
    # Values of one input that are looked at before some of them are chosen.
    listed_values: int
    # Largest number of states or values that scripts hold exactly.
    largest_count: int
    # Inputs of a Jupyter notebook, each of which is tried.
    tried_inputs: int
    # Characters of a label or of the name of a part.
    label: int
    # Reasons for a lost state.
    losses: list[str]
    # Kinds of items that a cell may say to have left out, and bytes of a MIME type among them.
    left_out: int
    mime: int
    # Representations of one display, bytes of its metadata, and nesting of its JSON.
    representations: int
    metadata: int
    nesting: int
    # Bytes of rows in the outputs of a cell, as they stand in the markup.
    table: int
    # Characters of an exception's name, message and traceback, and the number of its frames.
    error_name: int
    error_message: int
    error_traceback: int
    error_frames: int
    # MIME types that nbc looks for.
    charts_mime: str
    widget_view_mime: str
    widget_state_mime: str
    # The notebook's folder, if the sandbox has its own view of the files.
    notebook_folder: str

    def take(self, told: dict[str, Any]) -> None:
        """Takes over all constants, which have to be these."""
        if told.keys() != type(self).__annotations__.keys():
            raise ValueError(f"these are other constants: {sorted(told)}")
        vars(self).update(told)


constants = Constants()
