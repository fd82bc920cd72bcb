"""Rewrites from symbolic expressions to the fused operators of the core, one a file.

| file | recognises |
|---|---|
| layer_norm | layer norm written with means, powers and roots, in any order |
| activation | GELU (erf or tanh form), ReLU, tanh, by what they compute |
| linear | bias, scale, activation and residual around a matrix product |
| embedding_sum | word + position + token type 0, scales included |
| fused_qkv | q, k, v side by side in one linear, the score scale folded into q |
| pooling | mean and first-token pooling |
| l2_norm | pooled vectors divided by their length |
"""
