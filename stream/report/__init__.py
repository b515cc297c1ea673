"""The report: what is known of a model's training, gathered from the store, and one page that shows it."""
