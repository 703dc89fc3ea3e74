"""Reading DICOM: folders to studies, series to volumes, ROIs to label maps."""
