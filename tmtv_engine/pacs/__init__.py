"""Exported objects to an archive and back."""
