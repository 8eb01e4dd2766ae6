/* See aim.h. */
#include "harness/aim.h"
#include "seq/blocks.h"

/* Each point at which the operation stands whose schedule is to be moved. */
struct watch {
    struct aim *aim;
    const struct seq_op *op;
};

static void on_step(void *context, const struct harness_step *step) {
    const struct watch *watch = context;
    struct aim *aim = watch->aim;
    if (step->op == watch->op && step->point && aim->count < AIM_POINTS)
        aim->point[aim->count++] = step->point;
}

static uint32_t below(struct seq_random *random, uint32_t bound) {
    return (uint32_t)seq_random_below(random, bound);
}

/* The sequence up to operation `at`, which stops at one point after the other, in blocks that do not end before. */
static void make_trial(struct aim *aim, const struct seq *seq, uint32_t at) {
    aim->trial = *seq;
    aim->trial.op = aim->op;
    aim->trial.capacity = AIM_OPS + AIM_POINTS;
    aim->trial.count = at + AIM_POINTS;
    __builtin_memcpy(aim->op, seq->op, (at + 1) * sizeof(aim->op[0]));
    for (uint32_t i = 0; i <= at; i++) {
        if (seq_has_schedule(&aim->op[i]) && i + aim->op[i].nested >= at)
            aim->op[i].nested = UINT8_MAX;
    }
    aim->op[at].point = 1;
    for (uint32_t i = at + 1; i < aim->trial.count; i++)
        aim->op[i] = (struct seq_op){.code = SEQ_RESUME, .nested = SEQ_INNERMOST, .point = 1};
}

static bool is_same(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool is_first(const struct aim *aim, uint32_t at) {
    for (uint32_t i = 0; i < at; i++) {
        if (is_same(aim->point[i], aim->point[at]))
            return false;
    }
    return true;
}

/* Counted from 1; 0: there was none. */
static uint8_t choose(const struct aim *aim, struct seq_random *random) {
    const char *name = "";
    uint32_t names = 0, same = 0;
    uint8_t chosen = 0;
    for (uint32_t i = 0; i < aim->count; i++) {
        if (is_first(aim, i) && below(random, ++names) == 0)
            name = aim->point[i];
    }
    for (uint32_t i = 0; i < aim->count; i++) {
        if (is_same(aim->point[i], name) && below(random, ++same) == 0)
            chosen = (uint8_t)(i + 1);
    }
    return chosen;
}

void aim_schedule(struct aim *aim, struct harness *harness, struct seq *seq, uint32_t at, struct seq_random *random) {
    struct watch watch = {.aim = aim, .op = &aim->op[at]};
    const struct harness_options options = {.compare = HARNESS_OFF, .on_step = on_step, .context = &watch};
    if (at >= AIM_OPS || !seq_has_schedule(&seq->op[at]))
        return;
    make_trial(aim, seq, at);
    aim->count = 0;
    harness_run(harness, &aim->trial, &options, &aim->outcome);
    uint8_t point = choose(aim, random);
    if (point)
        seq->op[at].point = point;
}
