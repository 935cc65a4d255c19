"""What the project assumes of AWS, proven on the account at hand: a module a group of checks. All is left as it was."""
