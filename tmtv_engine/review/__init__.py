"""Readers and their decisions: journal, replay, comparison, verification."""
