"""Images that know where they lie: volumes, grids, NIfTI, resampling, projections."""
