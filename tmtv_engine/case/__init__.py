"""The case folder: what was found and measured, on disk."""
