"""Many accounts: which ones, side by side, and what is said of them."""
