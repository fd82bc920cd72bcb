#include "kernels/neon/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/embed_rows.h"

namespace potstill::kernels::neon {

void embed_rows(const EmbedRows& a) { embed_rows_simd(a); }

}  // namespace potstill::kernels::neon
