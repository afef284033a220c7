"""The web page: what it shows, who may see it, and the server."""
