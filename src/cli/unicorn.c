/*
 * Loads emu/unicorn.so, which is there if the build found a Unicorn that is new enough.
 */
#include "cli/unicorn.h"

#include "cli/plugin.h"
#include "unicorn/target.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_ON = 896, OPTION_KERNEL };
enum { MAPPINGS = 1 << 20 };

static const struct argp_option list[] = {
    {"on", OPTION_ON, "host|unicorn", 0,
     "Where sequences run: the kernel here, or kernel.elf on CPUs that Unicorn emulates (default: host)", 0},
    {"kernel", OPTION_KERNEL, "FILE", 0, "The kernel for them (default: emu/kernel.elf beside this program)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct unicorn_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        *options = (struct unicorn_options){0};
        return 0;
    case OPTION_ON:
        if (strcmp(argument, "host") != 0 && strcmp(argument, "unicorn") != 0)
            argp_error(state, "--on: expected host or unicorn, found '%s'", argument);
        options->on = strcmp(argument, "unicorn") == 0;
        return 0;
    case OPTION_KERNEL:
        options->kernel = argument;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

const struct argp unicorn_options_parser = {list, parse, NULL, NULL, NULL, NULL, NULL};

/* emu/NAME beside this program. */
static void built(const char *name, char path[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    size_t at = slash ? (size_t)(slash - path) : 0;
    snprintf(path + at, PATH_MAX - at, "/emu/%s", name);
}

bool unicorn_cli_is_built(void) {
    char library[PATH_MAX];
    built("unicorn.so", library);
    return access(library, R_OK) == 0;
}

const struct cli_target *unicorn_cli_target(const struct unicorn_options *options) {
    char library[PATH_MAX], kernel[PATH_MAX];
    struct cli_target *target = allocate(sizeof *target);
    built("unicorn.so", library);
    built("kernel.elf", kernel);
    if (access(library, R_OK) != 0) {
        complain_errno("%s", library);
        complain("it is made by the release build where there is Unicorn 2.1 or newer: scripts/install-packages, "
                 "cmake --preset release, cmake --build --preset release");
        exit(EXIT_BAD);
    }
    const struct rescind_target *loaded = plugin_load_for(library, options->kernel ? options->kernel : kernel);
    if (!loaded)
        exit(EXIT_BAD);
    *target = (struct cli_target){loaded, &seq_geometry_real, MAPPINGS};
    return target;
}

void unicorn_cli_call_pair(struct unicorn_pair *pair) {
    char library[PATH_MAX];
    built("unicorn.so", library);
    void *symbol = plugin_symbol(library, "rescind_call_pair");
    unicorn_call_pair_function *function;
    if (!symbol)
        exit(EXIT_BAD);
    memcpy(&function, &symbol, sizeof function);
    function(pair);
}
