"""Which of the teacher's tokens a student keeps."""
