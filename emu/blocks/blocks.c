/*
 * A plug-in of QEMU's (its TCG plug-in interface, version 1) that notes which basic blocks of a kernel ran: those that
 * QEMU translated, which it does just before a block runs for the first time. Costs nothing once all are translated.
 * Works with any kernel image, which needs no instrumentation.
 *
 *     -plugin blocks.so,to=FILE[,from=ADDRESS]
 *
 * FILE gets a line "ADDRESS BYTES" (hexadecimal) for each block at or above ADDRESS (by default the top 2 GiB) that
 * does not stand in it yet, at once, so that nothing is lost when the machine is killed.
 *
 * Debian does not ship QEMU's header: what is used of it is declared here.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void qemu_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_translated *callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED extern int qemu_plugin_version;
EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

int qemu_plugin_version = 1;

enum { BLOCKS_LOG2 = 18, BLOCKS = 1 << BLOCKS_LOG2, LINE_BYTES = 48, ADDRESS_BITS = 48 };
#define DEFAULT_FROM UINT64_C(0xffffffff80000000)

static struct {
    uint64_t from;
    int file;
    pthread_mutex_t lock;
    uint32_t known;
    uint64_t key[BLOCKS]; /* 0: free */
} blocks = {.from = DEFAULT_FROM, .file = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

/* Address and size in one number; blocks are of less than 64 KiB. */
static uint64_t key_of(uint64_t address, uint64_t bytes) {
    return address << (64 - ADDRESS_BITS) | (bytes & UINT16_MAX);
}

/* False: it is known, or there is no room for more. */
static bool enter(uint64_t key) {
    uint64_t slot = (key * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - BLOCKS_LOG2);
    while (blocks.key[slot] && blocks.key[slot] != key)
        slot = (slot + 1) % BLOCKS;
    if (blocks.key[slot] == key || blocks.known == BLOCKS / 2)
        return false;
    blocks.key[slot] = key;
    blocks.known++;
    return true;
}

static void note(uint64_t address, uint64_t bytes) {
    char line[LINE_BYTES];
    pthread_mutex_lock(&blocks.lock);
    if (enter(key_of(address, bytes))) {
        int length = snprintf(line, sizeof line, "%" PRIx64 " %" PRIx64 "\n", address, bytes);
        if (write(blocks.file, line, (size_t)length) != length) {
            fputs("blocks: the file cannot be written\n", stderr);
            exit(1);
        }
    }
    pthread_mutex_unlock(&blocks.lock);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(block);
    uint64_t start = qemu_plugin_tb_vaddr(block);
    if (start < blocks.from || count == 0)
        return;
    const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(block, count - 1);
    note(start, qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last) - start);
}

/* What earlier runs noted. */
static void read_known(const char *path) {
    FILE *file = fopen(path, "r");
    uint64_t address, bytes;
    while (file && fscanf(file, "%" SCNx64 " %" SCNx64, &address, &bytes) == 2)
        enter(key_of(address, bytes));
    if (file)
        fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv) {
    const char *path = NULL;
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "to=", 3) == 0)
            path = argv[i] + 3;
        else if (strncmp(argv[i], "from=", 5) == 0)
            blocks.from = strtoull(argv[i] + 5, NULL, 16);
        else
            path = NULL;
    }
    if (!path) {
        fputs("blocks: expected to=FILE[,from=ADDRESS]\n", stderr);
        return 1;
    }
    read_known(path);
    blocks.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (blocks.file < 0) {
        perror(path);
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
