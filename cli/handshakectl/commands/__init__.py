"""The verbs, one module each. None is a library of another."""
