"""Models in the format of LiteRT, which was called TensorFlow Lite."""
