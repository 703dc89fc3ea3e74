"""What the header says to what a voxel is worth: the rules of SUV."""
