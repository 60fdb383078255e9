"""Work on a schedule: cron lines in the house's zone or every so many seconds, each due time run once."""
