"""Files of torch.save, safetensors and SDDPG's pickles, one file per family."""
