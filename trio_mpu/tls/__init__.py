"""TLS: the records of one connection, and the certificate of all."""
