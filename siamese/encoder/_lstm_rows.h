/* One kind of processor's functions; `_lstm.c` says which, and defines what differs.
 *
 * Weights lie in panels: LANES columns of each of 4 gates, row after row, so that a panel is read
 * from its beginning to its end and stays in the nearest cache for all rows. A row's sums are taken
 * in one order, whatever rows are computed beside it and wherever it stands, so that they have the
 * same bits in any company.
 */

#define JOIN_(name, version) name##_##version
#define JOIN(name, version) JOIN_(name, version)
#define NAMED(name) JOIN(name, VERSION)
#define INLINE static inline __attribute__((always_inline)) TARGET

/* Rows that are taken through all panels before the next ones: they stay in the nearer caches. */
#define BLOCK (8 * ROWS)

typedef float NAMED(floats) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t NAMED(ints) __attribute__((vector_size(4 * LANES)));
#define floats NAMED(floats)
#define ints NAMED(ints)
#define tanh_all NAMED(tanh_all)
#define multiply_rows NAMED(multiply_rows)
#define multiply NAMED(multiply)
#define finish NAMED(finish)
#define lstm NAMED(lstm)
#define products NAMED(products)

/* Takes the tanh of 4 registers, side by side: one alone would wait for each of its instructions.
 *
 * tanh(x) = m / (m + 2) with m = exp(2 x) - 1 and exp(2 x) = 2^n exp(2 r), |r| <= log(2) / 4: at most
 * 9e-8 from it, and 2.4e-7 of it.
 */
INLINE void tanh_all(floats x[4])
{
    /* Adding it rounds to whole numbers and leaves n + 127, an exponent, in the lowest bits. */
    const floats rounder = SPREAD(12582912.0f + 127);
    /* exp(2 r) - 1, with the smallest relative error that a polynomial of this degree has. */
    static const float factors[] = {0.08884813824f, 0.267728661f, 0.6666751978f,
                                    1.33332349f,    1.999999926f, 2.0f};
    floats n[4], r[4], m[4];
#define EACH _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
    EACH x[i] = LOWER(SPREAD(9.1f), x[i]); /* beyond, it is 1; NaN stays NaN */
    EACH x[i] = HIGHER(SPREAD(-9.1f), x[i]);
    EACH n[i] = FMA(x[i], SPREAD(2.885390082f), rounder); /* 2 / log(2) */
    EACH r[i] = FMA(n[i] - rounder, SPREAD(-0.34657359028f), x[i]);
    EACH m[i] = SPREAD(factors[0]);
#pragma GCC unroll 8
    for (int k = 1; k < 6; k++)
        EACH m[i] = FMA(m[i], r[i], SPREAD(factors[k]));
    EACH m[i] *= r[i];
    EACH n[i] = (floats)((ints)n[i] << 23); /* 2^n */
    EACH m[i] = FMA(m[i], n[i], n[i] - SPREAD(1.0f));
    EACH x[i] = m[i] / (m[i] + SPREAD(2.0f));
#undef EACH
}

/* Multiplies some rows by a panel, and adds to `sums`; `count` and `vectors` are constants. */
INLINE void multiply_rows(floats sums[][4], int count, int vectors, const float *const *rows,
                          long height, const float *panel)
{
    floats own[ROWS][4];
#pragma GCC unroll 8
    for (int row = 0; row < count; row++)
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++)
            own[row][n] = sums[row][n];
    for (long k = 0; k < height; k++, panel += vectors * LANES) {
        floats x[ROWS];
#pragma GCC unroll 8
        for (int row = 0; row < count; row++) {
            x[row] = SPREAD(rows[row][k]);
            HOLD(x[row]);
        }
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) {
            floats weights = *(const floats *)(panel + n * LANES);
            HOLD(weights);
#pragma GCC unroll 8
            for (int row = 0; row < count; row++) {
                own[row][n] = FMA(x[row], weights, own[row][n]);
                HOLD(own[row][n]);
            }
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < count; row++)
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++)
            sums[row][n] = own[row][n];
}

/* Multiplies any number of rows by a panel of `vectors` registers: 4, or 1 for few columns.
 *
 * There is room for whole tiles. The last one, if it is not full, has its last row again and again:
 * with three rows or more that takes less time than one after the other. What it leaves behind
 * them in `sums` counts for nothing.
 */
INLINE void multiply(floats sums[][4], long count, int vectors, const float **rows, long height,
                     const float *panel)
{
    long row = 0, whole = count + ROWS - 1 - (count + ROWS - 1) % ROWS;
    for (long n = count; n < whole; n++)
        rows[n] = rows[count - 1];
    for (; row + 2 < count; row += ROWS)
        multiply_rows(sums + row, ROWS, vectors, rows + row, height, panel);
    for (; row < count; row++)
        multiply_rows(sums + row, 1, vectors, rows + row, height, panel);
}

/* Computes the next cell states and outputs of `count` rows, twice as large, for a panel's units.
 *
 * Sigmoids are (1 + tanh(x / 2)) / 2, with the halves of `x` in the weights.
 *
 * sums       products with the outputs before; the outputs come into sums[n][0]
 * inputs     what is added to them
 * states     of each row
 * going_on   rows that have a state; the others begin
 */
INLINE void finish(floats sums[][4], long count, const float *const *inputs, float *const *states,
                   long going_on)
{
    for (long n = 0; n < count; n++) {
        floats *gates = sums[n];
        for (int gate = 0; gate < 4; gate++) {
            gates[gate] += ((const floats *)inputs[n])[gate];
            __builtin_prefetch(inputs[n] + (4 + gate) * LANES); /* for the next panel */
        }
        tanh_all(gates);
        floats c = (gates[0] + SPREAD(1.0f)) * gates[3];
        if (n < going_on)
            c = FMA(gates[1] + SPREAD(1.0f), *(floats *)states[n], c);
        *(floats *)states[n] = gates[3] = c * SPREAD(0.5f);
    }
    for (long n = 0; n < count; n += 4) {
        floats c[4];
        for (int i = 0; i < 4; i++)
            c[i] = sums[n + i < count ? n + i : n][3];
        tanh_all(c);
        for (int i = 0; i < 4 && n + i < count; i++)
            sums[n + i][0] = (sums[n + i][2] + SPREAD(1.0f)) * c[i];
    }
}

/* Runs one direction of an LSTM from zero states over rows of falling length, by positions.
 *
 * inputs     products with the input kernel and the bias, panels side by side
 * read       which row of them each character has
 * recurrent  its panels; gates are input, forget, output, candidate
 * counts     rows that have a character at each position
 * states     room for the states of all rows
 * outputs    `stride` numbers a character; twice the outputs
 * notes      room for 7 numbers a row
 */
TARGET void lstm(const float *inputs, const int32_t *read, const float *recurrent,
                 const int32_t *counts, long positions, int backward, long units, float *states,
                 float *outputs, long stride, int32_t *notes)
{
    long panels = (units + LANES - 1) / LANES, padded = panels * LANES;
    long start = 0, before = 0, there = 0, most = positions ? counts[0] : 0;
    int32_t *first = notes, *rows = notes + most, *others = notes + 2 * most;
    for (long position = 0; backward && position < positions; position++)
        start += counts[position];
    for (long taken = 0; taken < positions; taken++) {
        long count = counts[backward ? positions - 1 - taken : taken];
        start = backward ? start - count : start;
        there = there < count ? there : count;
        long different = find_first(read + start, there, count, first, rows, others);
        for (long begin = 0; begin < different; begin += BLOCK) {
            long size = different - begin < BLOCK ? different - begin : BLOCK, going_on = 0;
            const float *before_of[BLOCK], *inputs_of[BLOCK];
            float *states_of[BLOCK], *after_of[BLOCK];
            for (long n = 0; n < size; n++) {
                long row = rows[begin + n];
                before_of[n] = outputs + (before + row) * stride;
                inputs_of[n] = inputs + read[start + row] * 4 * padded;
                states_of[n] = states + row * padded;
                after_of[n] = outputs + (start + row) * stride;
                going_on += row < there;
            }
            for (long panel = 0; panel < panels; panel++) {
                floats sums[BLOCK][4];
                memset(sums, 0, size * sizeof sums[0]);
                multiply(sums, going_on, 4, before_of, units, recurrent + panel * units * 4 * LANES);
                memset(sums + going_on, 0, (size - going_on) * sizeof sums[0]);
                finish(sums, size, inputs_of, states_of, going_on);
                long left = units - panel * LANES; /* the last panel is filled up */
                for (long n = 0; n < size; n++) {
                    if (left >= LANES)
                        *(floats *)after_of[n] = sums[n][0];
                    else
                        memcpy(after_of[n], sums[n], 4 * left);
                    after_of[n] += LANES;
                    inputs_of[n] += 4 * LANES;
                    states_of[n] += LANES;
                }
            }
        }
        for (long row = 0; row < count; row++) {
            if (first[row] == row)
                continue;
            memcpy(outputs + (start + row) * stride, outputs + (start + first[row]) * stride, 4 * units);
            memcpy(states + row * padded, states + first[row] * padded, 4 * padded);
        }
        before = start;
        there = count;
        start = backward ? start : start + count;
    }
}

/* Multiplies rows `[count, height]` by panels of 4 registers, or of 1, and adds a bias. */
TARGET void products(const float *rows, long count, long height, const float *kernel,
                     const float *bias, long panels, int vectors, float *out)
{
    long width = vectors * LANES;
    for (long begin = 0; begin < count; begin += BLOCK) {
        long size = count - begin < BLOCK ? count - begin : BLOCK;
        const float *at[BLOCK];
        for (long n = 0; n < size; n++)
            at[n] = rows + (begin + n) * height;
        for (long panel = 0; panel < panels; panel++) {
            floats sums[BLOCK][4];
            for (long n = 0; n < size; n++)
                memcpy(sums[n], bias + panel * width, 4 * width);
            if (vectors == 4)
                multiply(sums, size, 4, at, height, kernel + panel * height * width);
            else
                multiply(sums, size, 1, at, height, kernel + panel * height * width);
            for (long n = 0; n < size; n++)
                memcpy(out + ((begin + n) * panels + panel) * width, sums[n], 4 * width);
        }
    }
}

#include "_lstm_training.h"

#undef floats
#undef ints
#undef tanh_all
#undef multiply_rows
#undef multiply
#undef finish
#undef lstm
#undef products
#undef INLINE
#undef BLOCK
#undef NAMED
#undef JOIN
#undef JOIN_
#undef VERSION
#undef TARGET
#undef LANES
#undef ROWS
#undef SPREAD
#undef FMA
#undef LOWER
#undef HIGHER
