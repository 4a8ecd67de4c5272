"""What skills are, who has them, and how they relate to outcomes."""
