"""Configure, check and document a CJSM server connection."""

__version__ = "0.1.0"
