"""Any input to studies: found first, loaded later; ROIs that someone drew."""
