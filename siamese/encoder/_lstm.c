/* The arithmetic of an LSTM on processors with wide registers: `lstm_kernel.py` calls it.
 *
 * `_lstm_rows.h` is compiled once for each kind of processor, with what differs between them:
 *
 *     LANES   float32 numbers in a register
 *     ROWS    rows computed at once: their 4 gates, the weights and the rest fill the registers
 *     SPREAD  a number in every lane;  FMA  a * b + c, rounded once;  LOWER, HIGHER of two
 *     HOLD    keeps a value in a register: left to itself, GCC reads weights again for each row
 *
 * A processor that none of them suits, and a compiler that cannot make them: numpy computes.
 */

#include <pthread.h>
#include <stdint.h>
#include <string.h>

/* Raised when a function's arguments change: a library that was built before is not called. */
int lstm_interface(void) { return 2; }

/* Finds rows that were in the same state and read the same: a step is taken for the first of them.
 *
 * read    what `count` rows read; those before `there` have a state
 * first   of each row: the first that is like it; those before `there` have that of the step before
 * rows    where the first ones go, in their order
 * others  room for 5 numbers a row
 *
 * Returns how many they are.
 */
static long find_first(const int32_t *read, long there, long count, int32_t *first, int32_t *rows,
                       int32_t *others)
{
    int32_t *state = others, *slots = others + count;
    unsigned long size = 1, found = 0;
    while ((long)size < 2 * count)
        size *= 2; /* less than 4 times as many */
    memset(slots, -1, size * sizeof *slots);
    for (long row = 0; row < count; row++) {
        state[row] = row < there ? first[row] : -1;
        uint64_t hash = (uint64_t)(state[row] + 1) << 32 | (uint32_t)read[row];
        unsigned long at = (hash * 0x9E3779B97F4A7C15u >> 32) & (size - 1);
        while (slots[at] >= 0 && (read[slots[at]] != read[row] || state[slots[at]] != state[row]))
            at = (at + 1) & (size - 1);
        if (slots[at] < 0)
            rows[found++] = slots[at] = row;
        first[row] = slots[at];
    }
    return found;
}

/* A layer in training: see `lstm_gradient.py`, and `_lstm_training.h`, which fills what is not const. */
struct layer {
    long units, rows, steps;               /* rows of the table */
    const int32_t *counts;
    const float *weights;                  /* in panels, of both directions */
    const float *table;                    /* forward, as what follows */
    const int32_t *read;
    float *gates, *cells, *outputs;
    const float *of_outputs;               /* backward, with gates and cells, as what follows */
    float *states;                         /* room for a number a row and unit, twice */
    float *of_gates;
    float *of_table;
};

/* Some rows of one direction: `first`, `first + apart`, … */
struct task {
    const struct layer *layer;
    long direction, first, apart;
    void (*work)(const struct task *);
};

/* The rows of a task that have a character at a step. */
static long rows_of(const struct task *task, long step)
{
    return (task->layer->counts[step] - task->first + task->apart - 1) / task->apart;
}

static void *work_on(void *task)
{
    ((struct task *)task)->work(task);
    return 0;
}

/* Works on both directions; with two threads and more, at once, and on as many parts of their rows. */
static void in_threads(void (*work)(const struct task *), const struct layer *layer, long threads)
{
    enum { MOST = 64 };
    struct task tasks[MOST];
    pthread_t started[MOST];
    long apart = threads < 4 ? 1 : threads < MOST ? threads / 2 : MOST / 2, running = 0;
    for (long n = 0; n < 2 * apart; n++)
        tasks[n] = (struct task){layer, n % 2, n / 2, apart, work};
    while (threads > 1 && running + 1 < 2 * apart &&
           !pthread_create(started + running, 0, work_on, tasks + running))
        running++;
    for (long n = running; n < 2 * apart; n++)
        work(tasks + n);
    for (long n = 0; n < running; n++)
        pthread_join(started[n], 0);
}

/* Adds up the gradient of each of the table's rows, in packed order; a task has some columns. */
static void sum_rows(const struct task *task)
{
    const struct layer *at = task->layer;
    long width = 4 * at->units, part = 2 * task->first + task->direction, parts = 2 * task->apart;
    long from = width * part / parts, count = width * (part + 1) / parts - from, all = 0;
    for (long step = 0; step < at->steps; step++)
        all += 2 * at->counts[step];
    for (long row = 0; row < at->rows; row++)
        memset(at->of_table + row * width + from, 0, 4 * count);
    for (long n = 0; n < all; n++) {
        const float *restrict more = at->of_gates + n * width + from;
        float *restrict sum = at->of_table + at->read[n] * width + from;
        for (long column = 0; column < count; column++)
            sum[column] += more[column];
    }
}

#define HOLD(x) __asm__ volatile("" : "+" REGISTER(x))

#if defined(__x86_64__)
#include <immintrin.h>

int lstm_suits(const char *version)
{
    __builtin_cpu_init();
    if (!strcmp(version, "avx512"))
        return !!__builtin_cpu_supports("avx512f");
    return !strcmp(version, "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

#define REGISTER "v"
#define VERSION avx512
#define TARGET __attribute__((target("avx512f")))
#define LANES 16
#define ROWS 6
#define SPREAD(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define LOWER(a, b) _mm512_min_ps(a, b)
#define HIGHER(a, b) _mm512_max_ps(a, b)
#include "_lstm_rows.h"

#define VERSION avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 3
#define SPREAD(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define LOWER(a, b) _mm256_min_ps(a, b)
#define HIGHER(a, b) _mm256_max_ps(a, b)
#include "_lstm_rows.h"

#elif defined(__aarch64__)
#include <arm_neon.h>

int lstm_suits(const char *version) { return !strcmp(version, "neon"); }

#define REGISTER "w"
#define VERSION neon
#define TARGET
#define LANES 4
#define ROWS 6
#define SPREAD(x) vdupq_n_f32(x)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define LOWER(a, b) vminq_f32(a, b)
#define HIGHER(a, b) vmaxq_f32(a, b)
#include "_lstm_rows.h"

#else
int lstm_suits(const char *version) { return 0; }
#endif
