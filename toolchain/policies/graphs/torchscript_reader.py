def read_torchscript(content, options): raise NotImplementedError
