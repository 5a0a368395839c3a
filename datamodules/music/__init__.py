"""Music: notes from MIDI, ABC and grids, what is to be written of them, and both as symbols."""
