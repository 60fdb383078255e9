"""History out: files of readings, intervals and bills."""
