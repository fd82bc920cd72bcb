#include "kernels/select.h"

#include <cstdlib>

#include "kernels/sets.h"
#include "potstill/error.h"

namespace potstill::kernels {
namespace {

constexpr KernelTable kReference{
    "reference",           reference::gemm_f32,           reference::gemm_i8,
    reference::gemm_i4,    reference::quantize_symmetric, reference::quantize_asymmetric,
    reference::layer_norm, reference::attention_head,     reference::embed_rows,
    reference::mean_pool,
};

[[maybe_unused]] constexpr KernelTable with_gemm_i8(KernelTable base, const char* name,
                                                    void (*gemm_i8)(const GemmI8&)) {
  base.name = name;
  base.gemm_i8 = gemm_i8;
  return base;
}

#if defined(POTSTILL_KERNELS_X86)
constexpr KernelTable kAvx2{
    "avx2",
    avx2::gemm_f32,
    avx2::gemm_i8,
    reference::gemm_i4,
    avx2::quantize_symmetric,
    avx2::quantize_asymmetric,
    avx2::layer_norm,
    avx2::attention_head,
    avx2::embed_rows,
    avx2::mean_pool,
};
constexpr KernelTable kAvx512Vnni = with_gemm_i8(kAvx2, "avx512vnni", avx512vnni::gemm_i8);
#elif defined(POTSTILL_KERNELS_AARCH64)
constexpr KernelTable kNeon{
    "neon",
    neon::gemm_f32,
    neon::gemm_i8,
    reference::gemm_i4,
    neon::quantize_symmetric,
    neon::quantize_asymmetric,
    neon::layer_norm,
    neon::attention_head,
    neon::embed_rows,
    neon::mean_pool,
};
constexpr KernelTable kNeonDotprod = with_gemm_i8(kNeon, "neon_dotprod", neon_dotprod::gemm_i8);
#elif defined(POTSTILL_KERNELS_ARMV7)
constexpr KernelTable kNeon = with_gemm_i8(kReference, "neon", neon32::gemm_i8);
#endif

// Every set Potstill knows, best first within a machine.  table: nullptr when this build is for another machine.
struct Entry {
  const char* name;
  const KernelTable* table;
  bool (*runs)(const cpu::Features&);
};

constexpr Entry kEntries[] = {
#if defined(POTSTILL_KERNELS_X86)
    {"avx512vnni", &kAvx512Vnni, [](const cpu::Features& f) { return f.avx512vnni; }},
    {"avx2", &kAvx2, [](const cpu::Features& f) { return f.avx2; }},
#else
    {"avx512vnni", nullptr, nullptr},
    {"avx2", nullptr, nullptr},
#endif
#if defined(POTSTILL_KERNELS_AARCH64)
    {"neon_dotprod", &kNeonDotprod, [](const cpu::Features& f) { return f.dotprod; }},
#else
    {"neon_dotprod", nullptr, nullptr},
#endif
#if defined(POTSTILL_KERNELS_AARCH64) || defined(POTSTILL_KERNELS_ARMV7)
    {"neon", &kNeon, [](const cpu::Features& f) { return f.neon; }},
#else
    {"neon", nullptr, nullptr},
#endif
    {"reference", &kReference, [](const cpu::Features&) { return true; }},
};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

}  // namespace

std::vector<std::string> available(const cpu::Features& features) {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) {
    if (entry.table && entry.runs(features)) names.emplace_back(entry.name);
  }
  return names;
}

const KernelTable& select(std::string_view name, const cpu::Features& features) {
  for (const Entry& entry : kEntries) {
    if (!name.empty() && name != entry.name) continue;
    if (entry.table && entry.runs(features)) return *entry.table;
    if (name == entry.name) {
      throw Error("K002", "kernel set '" + std::string(name) + "' cannot run here",
                  entry.table ? "this CPU offers: " + cpu::to_string(features) : "this build is for another machine",
                  "unset POTSTILL_ISA or use one of: " + joined(available(features)));
    }
  }
  throw Error("K001", "there is no kernel set '" + std::string(name) + "'", "POTSTILL_ISA",
              "unset it or use one of: " + joined(available(features)));
}

std::vector<std::string> available() { return available(cpu::detect()); }
const KernelTable& select(std::string_view name) { return select(name, cpu::detect()); }

const KernelTable& active() {
  const char* name = std::getenv("POTSTILL_ISA");
  return select(name ? name : "");
}

}  // namespace potstill::kernels
