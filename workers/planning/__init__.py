"""Plans of a line: how many workers each stage needs, on which device, by a simulation of the line as it is."""
