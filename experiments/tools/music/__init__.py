"""``seqlab music`` and ``compose``."""
