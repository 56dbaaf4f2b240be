"""Evaluation: what a cascade makes, measured."""
