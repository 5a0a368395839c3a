"""``seqlab report``: what a lecture says, beside what its studies found, on one page."""
