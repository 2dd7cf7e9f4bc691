"""The CI systems: who we are in them, and how to speak to them."""
