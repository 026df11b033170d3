// Shows the states of a notebook's inputs.
