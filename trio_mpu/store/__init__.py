"""The history that outlives the ring: its samples in one SQLite file (docs/store.md).

The ring is followed by a reader of its own. What it gives becomes chunks, a second of samples each,
and windows, from a second to an hour. One transaction writes a chunk with its windows and gaps, so
the last chunk in the file says where to go on.
"""
