"""Policy documents: as files, as parameters, what differs, how they are written, and what in them is in vain."""
