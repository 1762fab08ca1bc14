def read_exported(content, options): raise NotImplementedError
