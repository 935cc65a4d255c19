"""A fleet of accounts that is invited within an hour, in virtual time."""
