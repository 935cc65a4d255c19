"""Builds what the functions carry: dependencies without what is not used, bytecode, a check, a bill of materials."""
