"""What makes a step fast, and changes none of its numbers."""
