"""What people read: pure formatting."""
