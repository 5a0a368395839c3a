"""What is seen of a sentence, a text, a series or music."""
