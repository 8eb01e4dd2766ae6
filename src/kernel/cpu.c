/* See cpu.h. */
#include "cpu.h"

#include "check.h"
#include "pd.h"

struct cpu {
    struct pd *runs;
    struct pd *owner[GEO_TAGS];
    uint64_t taken[GEO_TAGS]; /* when the tag was last used, in switches */
};

static struct cpu cpus[GEO_CPUS];
static uint64_t switches;

void cpu_reset(struct pd *pd) {
    switches = 0;
    for (uint32_t i = 0; i < GEO_CPUS; i++) {
        cpus[i] = (struct cpu){0};
    }
    cpu_switch(0, pd);
}

/* A free tag, or else the one that was not used for longest. */
static uint32_t choose(const struct cpu *cpu) {
    uint32_t chosen = 0;
    for (uint32_t tag = 0; tag < GEO_TAGS; tag++) {
        if (!cpu->owner[tag]) {
            return tag;
        }
        if (cpu->taken[tag] < cpu->taken[chosen]) {
            chosen = tag;
        }
    }
    return chosen;
}

static void take_tag(uint32_t index, struct pd *pd) {
    struct cpu *cpu = &cpus[index];
    uint32_t tag = choose(cpu);
    if (cpu->owner[tag]) {
        cpu_give_up(index, cpu->owner[tag]);
    }
    arch_flush(tag);
    cpu->owner[tag] = pd;
    pd->tag[index] = (uint8_t)tag;
    pd->cpus |= (uint8_t)(1U << index);
}

void cpu_stop(uint32_t index) {
    if (cpus[index].runs) {
        arch_stop_running(index);
        cpus[index].runs = NULL;
    }
}

void cpu_switch(uint32_t index, struct pd *pd) {
    struct cpu *cpu = &cpus[index];
    cpu->runs = NULL; /* so that the tag of the one that ran may be taken */
    if (!(pd->cpus >> index & 1)) {
        take_tag(index, pd);
    }
    cpu->taken[pd->tag[index]] = ++switches;
    cpu->runs = pd;
    arch_run(index, pd_index(pd), pd->root_table, pd->tag[index]);
}

void cpu_give_up(uint32_t index, struct pd *pd) {
    KASSERT(cpus[index].runs != pd);
    KASSERT(cpus[index].owner[pd->tag[index]] == pd);
    cpus[index].owner[pd->tag[index]] = NULL;
    pd->cpus &= (uint8_t) ~(1U << index);
}

void cpu_forget(struct pd *pd) {
    for (uint32_t index = 0; index < GEO_CPUS && pd->cpus; index++) {
        if (!(pd->cpus >> index & 1)) {
            continue;
        }
        if (cpus[index].runs == pd) {
            arch_stop_running(index);
            cpus[index].runs = NULL;
        }
        cpu_give_up(index, pd);
    }
}

struct pd *cpu_runs(uint32_t cpu) {
    return cpus[cpu].runs;
}

struct pd *cpu_owner(uint32_t cpu, uint32_t tag) {
    return cpus[cpu].owner[tag];
}
