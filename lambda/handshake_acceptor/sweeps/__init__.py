"""Polite sweeps: all members of an organization share its lists, and one whose list is throttled steps back."""
