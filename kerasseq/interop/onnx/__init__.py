"""Export to ONNX: the calls of a model, traced symbolically, as nodes of an ONNX graph."""
