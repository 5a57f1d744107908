"""Everything that measures, behind one interface: the registry opens what a spec names."""
