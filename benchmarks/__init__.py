"""Figures of speed and size, as ratios or against a bound: ``make bench``."""
