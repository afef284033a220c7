"""A session: hold an expression until it locks, speak, see face and voice side by side."""
