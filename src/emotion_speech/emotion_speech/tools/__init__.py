"""Tools that made decisions of this package; nothing that runs needs them."""
