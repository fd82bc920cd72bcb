/* Plugin of qemu-user: counts executions of translated blocks inside windows that the guest marks.
 *
 *   gcc -O2 -shared -fPIC -o qemu_count.so qemu_count.c
 *   qemu-aarch64 -cpu cortex-a72 -plugin ./qemu_count.so,out=FILE program
 *
 * The guest opens a window by the system call getpriority(0x57110001, label) and closes it by
 * getpriority(0x57110000, label): a call without effect, which any language can make, refused by every kernel
 * (EINVAL), so a program with markers also runs outside the emulator. Windows do not nest.
 *
 * FILE gets lines: "map START END OFFSET PATH" (host addresses of executable files), "window LABEL" followed by its
 * "run BLOCK EXECUTIONS", and "block ID GUEST_ADDRESS HOST_ADDRESS BYTES SYMBOL" (symbol "-": not known to qemu).
 * All threads count together and without atomics: run the guest with one thread.
 *
 * The few declarations of the plugin interface are written out here since Debian's qemu-user 7.2 ships no header.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct plugin_info {
  const char* target_name;
  struct {
    int min, cur;
  } version;
  bool system_emulation;
};
enum { INLINE_ADD_U64 = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb*));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb*, int op, void* counter, uint64_t add);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id,
                                                 void (*)(plugin_id, unsigned vcpu, int64_t number, uint64_t, uint64_t,
                                                          uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void*), void*);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb*);
extern struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t);
extern const void* qemu_plugin_insn_data(const struct qemu_plugin_insn*);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn*);
extern void* qemu_plugin_insn_haddr(const struct qemu_plugin_insn*);
extern const char* qemu_plugin_insn_symbol(const struct qemu_plugin_insn*);

EXPORT int qemu_plugin_version = 1;

#define OPEN_WINDOW 0x57110001u
#define CLOSE_WINDOW 0x57110000u

struct block {
  struct block* next_in_bucket;
  uint64_t address, executions, before;
  const void* host;
  char* symbol;
  size_t size;
  bool seen;
  unsigned char bytes[];
};

enum { BUCKETS = 1 << 16 };
static struct block* buckets[BUCKETS];
static struct block** blocks;
static size_t block_count, block_room;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE* out;
static int64_t marker_syscall;
static bool is_open;
static uint64_t open_label;

/* A block may be translated again (another thread, a flushed cache): the same address and bytes keep one counter. */
static struct block* block_of(const struct qemu_plugin_tb* tb) {
  unsigned char bytes[8192];
  size_t size = 0;
  const size_t count = qemu_plugin_tb_n_insns(tb);
  for (size_t i = 0; i < count; ++i) {
    const struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
    const size_t more = qemu_plugin_insn_size(insn);
    if (size + more > sizeof bytes) break;
    memcpy(bytes + size, qemu_plugin_insn_data(insn), more);
    size += more;
  }
  const uint64_t address = qemu_plugin_tb_vaddr(tb);
  struct block** bucket = &buckets[(address >> 1) % BUCKETS];
  for (struct block* known = *bucket; known != NULL; known = known->next_in_bucket) {
    if (known->address == address && known->size == size && memcmp(known->bytes, bytes, size) == 0) return known;
  }
  struct block* made = calloc(1, sizeof *made + size);
  if (block_count == block_room) {
    block_room = block_room ? 2 * block_room : 4096;
    blocks = realloc(blocks, block_room * sizeof *blocks);
  }
  if (made == NULL || blocks == NULL) abort();
  const struct qemu_plugin_insn* first = qemu_plugin_tb_get_insn(tb, 0);
  const char* symbol = qemu_plugin_insn_symbol(first);
  made->address = address;
  made->host = qemu_plugin_insn_haddr(first);
  made->symbol = symbol != NULL && *symbol != '\0' ? strdup(symbol) : NULL;
  made->size = size;
  memcpy(made->bytes, bytes, size);
  made->next_in_bucket = *bucket;
  *bucket = made;
  blocks[block_count++] = made;
  return made;
}

static void translated(plugin_id id, struct qemu_plugin_tb* tb) {
  (void)id;
  pthread_mutex_lock(&lock);
  struct block* block = block_of(tb);
  pthread_mutex_unlock(&lock);
  qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &block->executions, 1);
}

static void close_window(void) {
  fprintf(out, "window %" PRIu64 "\n", open_label);
  for (size_t i = 0; i < block_count; ++i) {
    if (blocks[i]->executions == blocks[i]->before) continue;
    fprintf(out, "run %zu %" PRIu64 "\n", i, blocks[i]->executions - blocks[i]->before);
    blocks[i]->seen = true;
  }
  is_open = false;
}

static void syscall_made(plugin_id id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                         uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  (void)id, (void)vcpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (number != marker_syscall) return;
  const uint32_t which = (uint32_t)a1, label = (uint32_t)a2;
  pthread_mutex_lock(&lock);
  if (which == CLOSE_WINDOW && is_open && label == open_label) {
    close_window();
  } else if (which == OPEN_WINDOW && !is_open) {
    /* A block translated inside the window starts from 0 by itself. */
    for (size_t i = 0; i < block_count; ++i) blocks[i]->before = blocks[i]->executions;
    is_open = true;
    open_label = label;
  } else if (which == OPEN_WINDOW || which == CLOSE_WINDOW) {
    fprintf(out, "error marker %#x with label %u does not fit the windows before it\n", which, label);
  }
  pthread_mutex_unlock(&lock);
}

static void write_maps(void) {
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[4096], path[4096];
  uint64_t start, end, offset;
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    /* qemu maps the guest's code readable, not executable: keep every mapping of a file. */
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %4095[^\n]", &start, &end, &offset, path) == 4 &&
        path[0] == '/') {
      fprintf(out, "map %" PRIx64 " %" PRIx64 " %" PRIx64 " %s\n", start, end, offset, path);
    }
  }
  if (maps != NULL) fclose(maps);
}

static void finished(plugin_id id, void* data) {
  (void)id, (void)data;
  if (is_open) fprintf(out, "error the window with label %" PRIu64 " was never closed\n", open_label);
  write_maps();
  for (size_t i = 0; i < block_count; ++i) {
    if (!blocks[i]->seen) continue;
    fprintf(out, "block %zu %" PRIx64 " %" PRIx64 " ", i, blocks[i]->address, (uint64_t)(uintptr_t)blocks[i]->host);
    for (size_t byte = 0; byte < blocks[i]->size; ++byte) fprintf(out, "%02x", blocks[i]->bytes[byte]);
    fprintf(out, " %s\n", blocks[i]->symbol != NULL ? blocks[i]->symbol : "-");
  }
  fprintf(out, "end\n");
  fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const struct plugin_info* info, int count, char** arguments) {
  for (int i = 0; i < count; ++i) {
    if (strncmp(arguments[i], "out=", 4) == 0) out = fopen(arguments[i] + 4, "w");
  }
  static const struct {
    const char* target;
    int64_t getpriority;
  } known[] = {{"aarch64", 141}, {"arm", 96}, {"x86_64", 140}};
  marker_syscall = -1;
  for (size_t i = 0; i < sizeof known / sizeof *known; ++i) {
    if (strcmp(info->target_name, known[i].target) == 0) marker_syscall = known[i].getpriority;
  }
  if (out == NULL || marker_syscall < 0) {
    fprintf(stderr, "qemu_count: a writable out=FILE and an Arm or x86-64 guest are needed\n");
    return -1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, syscall_made);
  qemu_plugin_register_atexit_cb(id, finished, NULL);
  return 0;
}
