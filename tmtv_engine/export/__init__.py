"""Writing results for others: DICOM SEG, SR, RTSTRUCT, pictures and tables."""
