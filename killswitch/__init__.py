"""killswitch: stop what a person's coding agents can do, everywhere, in order, with proof."""

__version__ = "0.1.0"
