"""Cost model for Arm: a run under qemu-user turned into instructions, modelled cycles and the hottest blocks.

qemu counts executions of translated blocks inside windows the program marks; llvm-mca says what an iteration of each
block costs on the board's core. A throughput model: no cache misses, no mispredictions. It ranks, it does not promise
milliseconds.
"""
