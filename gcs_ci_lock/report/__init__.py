"""What people read: pure formatting of what is known."""
