"""Rounding: what each scheme means in numbers, what it costs, and the core's arithmetic in numpy.

| file | what |
|---|---|
| schemes | schemes, int8 rows; what is not done and why |
| int4 | int4 rows |
| sensitivity | what each layer's rounding costs a student |
| choice | dtypes of the scheme `mixed` from these costs |

Training with rounded weights is in `potstill.distil`: fake_quant, fused_layers, rounded_student, qat.
"""
