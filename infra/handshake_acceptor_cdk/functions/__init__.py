"""The functions, and exactly what their roles may do."""
