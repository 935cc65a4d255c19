"""The checks of `doctor`: what is deployed, looked at from the outside. They only read."""
