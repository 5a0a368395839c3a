"""How a run is told that it is a trial of a search: no config says so, for a config repeats a run on its own."""

TRIAL_VARIABLE = "SEQLAB_TRIAL"
"""The environment variable: the search's directory, then the trial's number, as a path."""
