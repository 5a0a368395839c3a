"""What is written of a piece: each task makes symbols of music, and music of symbols."""
