"""What `dlrun data` shows: an overview of the data as plain values, its tables, and its page."""
