"""Numbers from arrays: numpy and scipy only, lengths in A, times in ps."""
