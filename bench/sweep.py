"""What a run costs in an account with 10,000 finished handshakes, which come in 1,000 pages.

The claim to check: at most 1.15 of a bare loop over the same pages with the same client. Both measured in turns, by the
clock and by the processor; the pages are answered by another process, from memory.
"""
