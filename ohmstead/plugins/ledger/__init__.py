"""Every kWh: meter points, intervals derived from readings, layers, corrections, findings."""
