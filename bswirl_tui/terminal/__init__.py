"""What is sent to the terminal."""
