"""Exports of a trained classifier: ONNX and TFLite, fp32 and int8, and the check that each answers as the original.

Importing this package imports nothing heavy; `onnx`, `tflite` and `parity` are imported where they are used.
"""
