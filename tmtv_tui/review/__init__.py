"""The review's state and its cells; no Textual here."""
