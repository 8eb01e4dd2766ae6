/* See session.h: mode bench is written for the kernel of src/kernel. */
#include "session.h"

_Noreturn void bench(struct session *session) {
    (void)session;
    session_bad("there is no mode bench on this kernel");
}
