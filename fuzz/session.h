/*
 * What a fuzz target shares with the script that runs it, by environment variables: live counters, the signatures known
 * already and how often they were met, and where findings go. All are optional, so that a fuzz target can be started by
 * hand.
 */
#ifndef RESCIND_FUZZ_SESSION_H
#define RESCIND_FUZZ_SESSION_H

#include <stddef.h>
#include <stdint.h>

/* Lives in the file RESCIND_COUNTERS if that is set, so that the counts outlive a crash and can be read at any time. */
struct session_counters {
    uint64_t executions, operations;
};

/* To be called once, first. The operations counted are printed at exit. */
struct session_counters *session_start(void);

/*
 * Prints signature and report, writes the text of a sequence (or, of targets without sequences, the input) to
 * RESCIND_FINDINGS/<hash of the signature>.rsq, by default to the current directory, and signature and report to a .txt
 * beside it if that is set, and stops the process. A signature that stands in the file RESCIND_KNOWN, one to a line, is
 * passed over; a line `*` stands for all the others. The file RESCIND_MET holds one 64-bit number for each of those
 * lines: how often it was met.
 */
void session_finding(const char *signature, const char *report, const char *text, size_t length);

#endif
