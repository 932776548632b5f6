"""Which labels are doubtful: folds, scores of encoders that never saw a pair, doubts, a report."""
