"""The four mechanisms that part the samples of one reference. None of them knows of another; each has a null object."""
