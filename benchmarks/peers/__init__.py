"""The servers that ours is measured beside, each as its own documentation suggests."""
