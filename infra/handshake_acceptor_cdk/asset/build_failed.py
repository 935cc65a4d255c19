"""What every step of a build raises."""


class BuildFailed(Exception):
    """The asset cannot be built here; the message says why."""
