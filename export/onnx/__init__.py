"""`--to onnx`: one ONNX graph of integers that makes one decision; state goes in and comes out."""
