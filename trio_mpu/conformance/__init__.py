"""What a server of this protocol must do, as checks that any server can be held to."""
