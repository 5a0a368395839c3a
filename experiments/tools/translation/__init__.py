"""``seqlab translate`` and ``score``: lines in, what a checkpoint makes of them out."""
