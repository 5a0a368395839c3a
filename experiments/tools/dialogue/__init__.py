"""``seqlab chat``."""
