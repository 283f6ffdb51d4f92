"""What a newcomer sees before there is a profile."""
