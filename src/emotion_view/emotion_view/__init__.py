"""What the emotion nodes see and hear, drawn for people."""
