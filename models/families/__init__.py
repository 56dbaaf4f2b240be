"""A room for each paper: all of its stages, networks, training and recipes."""
