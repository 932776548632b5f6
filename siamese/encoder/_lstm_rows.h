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

typedef float NAMED(floats) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t NAMED(ints) __attribute__((vector_size(4 * LANES)));
#define floats NAMED(floats)
#define ints NAMED(ints)
#define tanh_of NAMED(tanh_of)
#define multiply NAMED(multiply)
#define step NAMED(step)
#define lstm NAMED(lstm)
#define multiply_all NAMED(multiply_all)
#define products NAMED(products)

/* tanh(x) = m / (m + 2) with m = exp(2 x) - 1 and exp(2 x) = 2^n exp(2 r), |r| <= log(2) / 4.
 *
 * At most 9e-8 from it, and 2.4e-7 of it.
 */
INLINE floats tanh_of(floats x)
{
    x = HIGHER(SPREAD(-9.1f), LOWER(SPREAD(9.1f), x)); /* beyond, it is 1; NaN stays NaN */
    /* Adding it rounds to whole numbers and leaves n + 127, an exponent, in the lowest bits. */
    const floats rounder = SPREAD(12582912.0f + 127);
    floats n = FMA(x, SPREAD(2.885390082f), rounder); /* 2 / log(2) */
    floats r = FMA(n - rounder, SPREAD(-0.34657359028f), x);
    /* exp(2 r) - 1, with the smallest relative error that a polynomial of this degree has. */
    floats m = SPREAD(0.08884813824f);
    m = FMA(m, r, SPREAD(0.267728661f));
    m = FMA(m, r, SPREAD(0.6666751978f));
    m = FMA(m, r, SPREAD(1.33332349f));
    m = FMA(m, r, SPREAD(1.999999926f));
    m = FMA(m, r, SPREAD(2.0f)) * r;
    floats power = (floats)((ints)n << 23); /* 2^n */
    m = FMA(m, power, power - SPREAD(1.0f));
    return m / (m + SPREAD(2.0f));
}

/* Adds the products of some rows with a panel to `sums`; `count` and `vectors` are constants.
 *
 * A panel has `vectors` registers of columns: 4, or 1 where there are few columns.
 */
INLINE void multiply(floats sums[][4], int count, int vectors, const float *const *rows, long height,
                     const float *panel)
{
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
            for (int row = 0; row < count; row++)
                sums[row][n] = FMA(x[row], weights, sums[row][n]);
        }
    }
}

/* Takes a step of some rows, for the units of a panel.
 *
 * before   outputs of the step before; height 0: the rows begin here
 * inputs   `4 padded` numbers for each id that is read
 * states   cell states, `padded` numbers a row
 * after    where the outputs go, `stride` numbers a row
 * real     units of the panel: the last one may be filled up
 */
INLINE void step(int count, const int32_t *rows, const float *before, long height, const float *panel,
                 const float *inputs, const int32_t *read, float *states, long padded, float *after,
                 long stride, long real)
{
    floats sums[ROWS][4];
    const float *outputs[ROWS];
    for (int n = 0; n < count; n++) {
        outputs[n] = before + rows[n] * stride;
        for (int gate = 0; gate < 4; gate++) {
            __builtin_prefetch(inputs + read[rows[n]] * 4 * padded + gate * LANES);
            sums[n][gate] = SPREAD(0.0f);
        }
    }
    multiply(sums, count, 4, outputs, height, panel);
    for (int n = 0; n < count; n++) {
        const floats *input = (const floats *)(inputs + read[rows[n]] * 4 * padded);
        floats *state = (floats *)(states + rows[n] * padded);
        floats i = tanh_of(sums[n][0] + input[0]) + SPREAD(1.0f);
        floats f = tanh_of(sums[n][1] + input[1]) + SPREAD(1.0f);
        floats o = tanh_of(sums[n][2] + input[2]) + SPREAD(1.0f);
        floats c = i * tanh_of(sums[n][3] + input[3]);
        if (height)
            c = FMA(f, *state, c);
        c *= SPREAD(0.5f);
        *state = c;
        floats output = o * tanh_of(c);
        if (real == LANES)
            *(floats *)(after + rows[n] * stride) = output;
        else
            memcpy(after + rows[n] * stride, &output, 4 * real);
    }
}

/* Runs one direction of an LSTM from zero states over rows of falling length, by positions.
 *
 * Sigmoids are (1 + tanh(x / 2)) / 2, with the halves of `x` in the weights: gates are input, forget,
 * output, candidate, and `outputs` twice the outputs.
 *
 * inputs     products with the input kernel and the bias, panels side by side
 * read       which row of them each character has
 * recurrent  its panels
 * counts     rows that have a character at each position
 * states     room for the states of all rows
 * outputs    `stride` numbers a character
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
        long going_on = 0;
        long different = find_first(read + start, there, count, first, rows, others);
        while (going_on < different && rows[going_on] < there)
            going_on++;
        for (long panel = 0, unit = 0; panel < panels; panel++, unit += LANES) {
            long real = units - unit < LANES ? units - unit : LANES;
            for (long n = 0, size; n < different; n += size) {
                size = (n < going_on ? going_on : different) - n < ROWS ? 1 : ROWS;
#define STEP(size) \
    step(size, rows + n, outputs + before * stride, n < going_on ? units : 0, \
         recurrent + panel * units * 4 * LANES, inputs + 4 * unit, read + start, states + unit, \
         padded, outputs + start * stride + unit, stride, real)
                if (size == ROWS)
                    STEP(ROWS); /* with a constant, its loops over rows are unrolled */
                else
                    STEP(1);
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

INLINE void multiply_all(int vectors, const float *rows, long count, long height, const float *kernel,
                         const float *bias, long panels, float *out)
{
    long width = vectors * LANES;
    for (long panel = 0; panel < panels; panel++, kernel += height * width) {
        for (long row = 0, size; row < count; row += size) {
            size = count - row < ROWS ? 1 : ROWS;
            floats sums[ROWS][4];
            const float *at[ROWS];
            for (int n = 0; n < size; n++) {
                memcpy(sums[n], bias + panel * width, 4 * width);
                at[n] = rows + (row + n) * height;
            }
            if (size == ROWS)
                multiply(sums, ROWS, vectors, at, height, kernel);
            else
                multiply(sums, 1, vectors, at, height, kernel);
            for (int n = 0; n < size; n++)
                memcpy(out + ((row + n) * panels + panel) * width, sums[n], 4 * width);
        }
    }
}

/* Multiplies rows `[count, height]` by panels of 4 registers, or of 1, and adds a bias. */
TARGET void products(const float *rows, long count, long height, const float *kernel,
                     const float *bias, long panels, int vectors, float *out)
{
    if (vectors == 4)
        multiply_all(4, rows, count, height, kernel, bias, panels, out);
    else
        multiply_all(1, rows, count, height, kernel, bias, panels, out);
}

#undef floats
#undef ints
#undef tanh_of
#undef multiply
#undef step
#undef lstm
#undef multiply_all
#undef products
#undef INLINE
#undef NAMED
#undef JOIN
#undef JOIN_
#undef STEP
#undef VERSION
#undef TARGET
#undef LANES
#undef ROWS
#undef SPREAD
#undef FMA
#undef LOWER
#undef HIGHER
