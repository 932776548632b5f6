"""Files -> a data set, with Ray Data."""
