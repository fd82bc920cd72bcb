// Every kernel of every set, by set.  Only the functions named in a set's folder exist; select.cpp builds the tables.
#pragma once

#include "kernels/kernels.h"

#define POTSTILL_DECLARE_KERNEL_SET(set)           \
  namespace potstill::kernels::set {               \
  void gemm_f32(const GemmF32& g);                 \
  void gemm_i8(const GemmI8& g);                   \
  void gemm_i4(const GemmI8& g);                   \
  void quantize_symmetric(const QuantizeRows& a);  \
  void quantize_asymmetric(const QuantizeRows& a); \
  void layer_norm(const LayerNorm& a);             \
  void attention_head(const AttentionHead& a);     \
  void embed_rows(const EmbedRows& a);             \
  void mean_pool(const MeanPool& a);               \
  }

POTSTILL_DECLARE_KERNEL_SET(reference)
POTSTILL_DECLARE_KERNEL_SET(neon)
POTSTILL_DECLARE_KERNEL_SET(neon32)
POTSTILL_DECLARE_KERNEL_SET(neon_dotprod)
POTSTILL_DECLARE_KERNEL_SET(avx2)
POTSTILL_DECLARE_KERNEL_SET(avx512vnni)

// Shared by all sets (kernels.h, L2Normalize).
namespace potstill::kernels::reference {
void l2_normalize(const L2Normalize& a);
}

#undef POTSTILL_DECLARE_KERNEL_SET
