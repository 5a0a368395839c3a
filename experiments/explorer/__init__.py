"""``seqlab explore``: a page in the browser that looks into checkpoints, and the API behind it."""
