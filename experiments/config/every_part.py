"""Every part of seqlab, imported: for a process that others are forked from, each of which would do it again."""

from experiments.config.known_classes import import_parts

import_parts()
