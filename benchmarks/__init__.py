"""What the numbers in the documents are made with."""
