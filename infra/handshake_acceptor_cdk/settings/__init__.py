"""The settings: how they are read and checked, one module a stack."""
