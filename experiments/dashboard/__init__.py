"""``seqlab dashboard``: a W&B workspace and a W&B report of a run, an experiment or a study, made as code."""
