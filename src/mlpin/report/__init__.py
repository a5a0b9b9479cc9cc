"""Results as text and data. Functions return strings; nothing in here prints but the progress line."""
