"""In which parts of the inputs (slices) predictions moved."""
