"""Every parser of the product, given what nobody has written on purpose. See README.md here."""
