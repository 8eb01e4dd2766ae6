#include "cli/cli.h"
int command_diff(int argc, char **argv) { (void)argc; (void)argv; return 0; }
