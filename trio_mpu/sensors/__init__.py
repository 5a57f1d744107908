"""All kinds of sensors behind one interface; the registry opens the one that a spec names."""
