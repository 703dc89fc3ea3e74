"""The command line and the review app; they only ever call the engine."""
