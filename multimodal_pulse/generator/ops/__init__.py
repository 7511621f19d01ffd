"""The operators of the synthesis network: in plain PyTorch (`plain`), and fused in C++ for a processor (`fused`)."""
