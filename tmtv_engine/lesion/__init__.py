"""Lesions as lists of voxels: found, parted, cut, measured."""
