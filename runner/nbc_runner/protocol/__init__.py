"""The conversation with nbc: frames and messages."""
