"""The whole study on the lab: every command once, in order, and one page that tells it."""
