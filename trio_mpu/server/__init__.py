"""The server's task tree and its worker processes."""
