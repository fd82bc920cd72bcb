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

[[maybe_unused]] constexpr KernelTable with_products(KernelTable base, const char* name, void (*gemm_i8)(const GemmI8&),
                                                     void (*gemm_i4)(const GemmI8&)) {
  base.name = name;
  base.gemm_i8 = gemm_i8;
  base.gemm_i4 = gemm_i4;
  return base;
}

#if defined(POTSTILL_KERNELS_X86)
constexpr KernelTable kAvx2{
    "avx2",           avx2::gemm_f32,           avx2::gemm_i8,
    avx2::gemm_i4,    avx2::quantize_symmetric, avx2::quantize_asymmetric,
    avx2::layer_norm, avx2::attention_head,     avx2::embed_rows,
    avx2::mean_pool,
};
constexpr KernelTable kAvx512Vnni{
    "avx512vnni",           avx512vnni::gemm_f32,           avx512vnni::gemm_i8,
    avx512vnni::gemm_i4,    avx512vnni::quantize_symmetric, avx512vnni::quantize_asymmetric,
    avx512vnni::layer_norm, avx512vnni::attention_head,     avx512vnni::embed_rows,
    avx512vnni::mean_pool,
};
#elif defined(POTSTILL_KERNELS_AARCH64)
constexpr KernelTable kNeon{
    "neon",           neon::gemm_f32,           neon::gemm_i8,
    neon::gemm_i4,    neon::quantize_symmetric, neon::quantize_asymmetric,
    neon::layer_norm, neon::attention_head,     neon::embed_rows,
    neon::mean_pool,
};
constexpr KernelTable kNeonDotprod = with_products(kNeon, "neon_dotprod", neon_dotprod::gemm_i8, neon_dotprod::gemm_i4);
#elif defined(POTSTILL_KERNELS_ARMV7)
constexpr KernelTable kNeon = with_products(kReference, "neon", neon32::gemm_i8, neon32::gemm_i4);
#endif

#if defined(POTSTILL_KERNELS_X86)
constexpr Machine kThisMachine = Machine::X86;
#elif defined(POTSTILL_KERNELS_AARCH64)
constexpr Machine kThisMachine = Machine::Aarch64;
#elif defined(POTSTILL_KERNELS_ARMV7)
constexpr Machine kThisMachine = Machine::Armv7;
#else
constexpr Machine kThisMachine = Machine::Other;
#endif

// Every set Potstill knows, best first within a machine.  The table is that of this build; a set of another machine has
// none here, but its rule is told by names_for().
struct Entry {
  const char* name;
  Machine machine;  // Other: every machine
  bool (*runs)(const cpu::Features&);
  const KernelTable* table;
};

#if defined(POTSTILL_KERNELS_X86)
constexpr const KernelTable *kX86Vnni = &kAvx512Vnni, *kX86Avx2 = &kAvx2;
#else
constexpr const KernelTable *kX86Vnni = nullptr, *kX86Avx2 = nullptr;
#endif
#if defined(POTSTILL_KERNELS_AARCH64)
constexpr const KernelTable *kA64Dotprod = &kNeonDotprod, *kA64Neon = &kNeon;
#else
constexpr const KernelTable *kA64Dotprod = nullptr, *kA64Neon = nullptr;
#endif
#if defined(POTSTILL_KERNELS_ARMV7)
constexpr const KernelTable* kA32Neon = &kNeon;
#else
constexpr const KernelTable* kA32Neon = nullptr;
#endif

constexpr Entry kEntries[] = {
    {"avx512vnni", Machine::X86, [](const cpu::Features& f) { return f.avx512vnni; }, kX86Vnni},
    {"avx2", Machine::X86, [](const cpu::Features& f) { return f.avx2; }, kX86Avx2},
    {"neon_dotprod", Machine::Aarch64, [](const cpu::Features& f) { return f.dotprod; }, kA64Dotprod},
    {"neon", Machine::Aarch64, [](const cpu::Features& f) { return f.neon; }, kA64Neon},
    {"neon", Machine::Armv7, [](const cpu::Features& f) { return f.neon; }, kA32Neon},
    {"reference", Machine::Other, [](const cpu::Features&) { return true; }, &kReference},
};

bool chosen(const Entry& entry, Machine machine, const cpu::Features& features) {
  return (entry.machine == machine || entry.machine == Machine::Other) && entry.runs(features);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

}  // namespace

std::vector<std::string> names_for(Machine machine, const cpu::Features& features) {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) {
    if (chosen(entry, machine, features)) names.emplace_back(entry.name);
  }
  return names;
}

std::vector<std::string> available(const cpu::Features& features) { return names_for(kThisMachine, features); }

const KernelTable& select(std::string_view name, const cpu::Features& features) {
  bool known = false, built = false;
  for (const Entry& entry : kEntries) {
    if (!name.empty() && name != entry.name) continue;
    if (chosen(entry, kThisMachine, features)) return *entry.table;
    known = true;
    built = built || entry.table != nullptr;
  }
  if (known) {
    throw Error("K002", "kernel set '" + std::string(name) + "' cannot run here",
                built ? "this CPU offers: " + cpu::to_string(features) : "this build is for another machine",
                "unset POTSTILL_ISA or use one of: " + joined(available(features)));
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
