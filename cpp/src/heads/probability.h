// Probabilities of logits, in binary64. They are Python's math.exp and math.fsum, so that every interface of the core
// gives the same ones.
#pragma once

#include <span>

namespace potstill::heads {

// By the form whose exp cannot overflow.
double sigmoid(double x) noexcept;

// softmax(row / temperature), shifted by the largest so that exp never overflows. The sum is rounded once.
void softmax(std::span<const float> row, double temperature, std::span<double> out);

}  // namespace potstill::heads
