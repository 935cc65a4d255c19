"""The AWS of one's own machine."""
