/*
 * Loads kernel builds from shared libraries.
 */
#include "cli/plugin.h"

#include "cli/cli.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef const struct rescind_target *entry_point(void);
typedef const struct rescind_target *entry_point_for(const char *kernel, const char **why);

/* A path with a slash in it, or dlopen would search the system's directories. */
static void locate(const char *name, char path[PATH_MAX]) {
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (strchr(name, '/'))
        snprintf(path, PATH_MAX, "%s", name);
    else if (strchr(name, '.') || !slash)
        snprintf(path, PATH_MAX, "./%s", name);
    else
        snprintf(path, PATH_MAX, "%.*s/%s.so", (int)(slash - program), program, name);
}

static bool is_ours(const char *path, const struct rescind_target *target) {
    bool ours = target->version == RESCIND_TARGET_VERSION && target->size == sizeof *target;
    if (!ours)
        complain("%s: made for target interface %u, this is %u", path, target->version, RESCIND_TARGET_VERSION);
    return ours;
}

void *plugin_symbol(const char *path, const char *name) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, name) : NULL;
    if (!symbol)
        complain("%s", dlerror());
    return symbol;
}

const struct rescind_target *plugin_load(const char *name) {
    char path[PATH_MAX];
    locate(name, path);
    void *symbol = plugin_symbol(path, "rescind_target");
    if (!symbol)
        return NULL;
    entry_point *entry;
    memcpy(&entry, &symbol, sizeof entry);
    const struct rescind_target *target = entry();
    return is_ours(path, target) ? target : NULL;
}

const struct rescind_target *plugin_load_for(const char *path, const char *kernel) {
    const char *why = "";
    void *symbol = plugin_symbol(path, "rescind_target_of");
    if (!symbol)
        return NULL;
    entry_point_for *entry;
    memcpy(&entry, &symbol, sizeof entry);
    const struct rescind_target *target = entry(kernel, &why);
    if (!target)
        complain("%s: %s", kernel, why);
    return target && is_ours(path, target) ? target : NULL;
}
