"""Training: cohorts, augmentation, loss, recipes and the loop."""
