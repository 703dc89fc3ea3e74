"""Reading DICOM: folders to studies, series to volumes, ROIs to label maps."""

from pydicom import config

# Scanners write values that their VR forbids; what matters is checked where it is used, by name.
config.settings.reading_validation_mode = config.IGNORE
