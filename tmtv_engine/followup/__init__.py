"""Two time points of one patient: bodies aligned, lesions matched, what changed."""
