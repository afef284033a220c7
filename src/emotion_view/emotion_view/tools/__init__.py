"""Commands for people who work on this package."""
