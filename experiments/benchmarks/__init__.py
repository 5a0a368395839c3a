"""``seqlab benchmark``: what models cost, measured."""
