"""The packages of the C and C++ library."""
