"""The engine: scanner DICOM to reviewed total metabolic tumour volume."""

__version__ = "0.1.0"
