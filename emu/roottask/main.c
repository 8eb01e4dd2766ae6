/*
 * The root task: runs the harness on the machine itself, against the kernel below it. What it is told and what it says
 * is in protocol.h.
 */
#include "kernel.h"
#include "session.h"

_Noreturn void root_main(const void *information);

_Noreturn void root_main(const void *information) {
    static const struct {
        const char *name;
        void (*run)(struct session *session);
    } modes[] = {{"replay", replay}, {"stress", stress}, {"raw", raw},
                 {"soak", soak},     {"bench", bench},   {"visits", visits}};
    static struct session session;
    kernel_start(information);
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (session_is_mode(modes[i].name)) {
            session_start(&session, modes[i].name);
            modes[i].run(&session);
        }
    }
    session_bad("no mode is named on the command line");
}
