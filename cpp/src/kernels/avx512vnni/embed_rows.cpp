#include "kernels/avx512vnni/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/embed_rows.h"

namespace potstill::kernels::avx512vnni {

void embed_rows(const EmbedRows& a) { embed_rows_simd(a); }

}  // namespace potstill::kernels::avx512vnni
