"""Tokenizers of every form beside Hugging Face's own library: ids, places in the text, speed."""
