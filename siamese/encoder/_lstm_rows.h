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

/* Adds the products of some rows with a panel to `sums`. `count` must be a constant. */
INLINE void multiply(floats sums[][4], int count, const float *rows, long stride, long height,
                     const float *panel)
{
    for (long k = 0; k < height; k++, panel += 4 * LANES) {
        floats x[ROWS];
#pragma GCC unroll 8
        for (int row = 0; row < count; row++) {
            x[row] = SPREAD(rows[row * stride + k]);
            HOLD(x[row]);
        }
#pragma GCC unroll 4
        for (int gate = 0; gate < 4; gate++) {
            floats weights = *(const floats *)(panel + gate * LANES);
            HOLD(weights);
#pragma GCC unroll 8
            for (int row = 0; row < count; row++)
                sums[row][gate] = FMA(x[row], weights, sums[row][gate]);
        }
    }
}

/* Takes a step of some rows, for the units of a panel.
 *
 * before   their outputs of the step before; height 0: they begin here
 * read     which row of `inputs`, of `width` numbers, each has
 * states   their cell states, `padded` numbers a row
 * after    where their outputs go, of `real` units: the last panel may be filled up
 */
INLINE void step(int count, const float *before, long height, const float *panel, const float *inputs,
                 const int32_t *read, long width, float *states, long padded, float *after, long stride,
                 long real)
{
    floats sums[ROWS][4];
    for (int row = 0; row < count; row++) {
        for (int gate = 0; gate < 4; gate++) {
            __builtin_prefetch(inputs + read[row] * width + gate * LANES);
            sums[row][gate] = SPREAD(0.0f);
        }
    }
    multiply(sums, count, before, stride, height, panel);
    for (int row = 0; row < count; row++) {
        const floats *input = (const floats *)(inputs + read[row] * width);
        floats *state = (floats *)(states + row * padded);
        floats i = tanh_of(sums[row][0] + input[0]) + SPREAD(1.0f);
        floats f = tanh_of(sums[row][1] + input[1]) + SPREAD(1.0f);
        floats o = tanh_of(sums[row][2] + input[2]) + SPREAD(1.0f);
        floats c = i * tanh_of(sums[row][3] + input[3]);
        if (height)
            c = FMA(f, *state, c);
        c *= SPREAD(0.5f);
        *state = c;
        floats output = o * tanh_of(c);
        if (real == LANES)
            *(floats *)(after + row * stride) = output;
        else
            memcpy(after + row * stride, &output, 4 * real);
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
 */
TARGET void lstm(const float *inputs, const int32_t *read, const float *recurrent,
                 const int32_t *counts, long positions, int backward, long units, float *states,
                 float *outputs, long stride)
{
    long panels = (units + LANES - 1) / LANES, padded = panels * LANES, width = 4 * padded;
    long start = 0, before = 0, there = 0;
    for (long position = 0; backward && position < positions; position++)
        start += counts[position];
    for (long taken = 0; taken < positions; taken++) {
        long count = counts[backward ? positions - 1 - taken : taken];
        start = backward ? start - count : start;
        long going_on = there < count ? there : count;
        for (long panel = 0, unit = 0; panel < panels; panel++, unit += LANES) {
            long real = units - unit < LANES ? units - unit : LANES;
            for (long row = 0, size; row < count; row += size) {
                long left = (row < going_on ? going_on : count) - row;
                size = left < ROWS ? 1 : ROWS;
#define STEP(size) \
    step(size, outputs + (before + row) * stride, row < going_on ? units : 0, \
         recurrent + panel * units * 4 * LANES, inputs + 4 * unit, read + start + row, width, \
         states + row * padded + unit, padded, outputs + (start + row) * stride + unit, stride, real)
                if (size == ROWS)
                    STEP(ROWS); /* with a constant, its loops over rows are unrolled */
                else
                    STEP(1);
            }
        }
        before = start;
        there = count;
        start = backward ? start : start + count;
    }
}

/* Multiplies rows `[count, height]` by panels, and adds a bias: `[count, 4 LANES panels]`. */
TARGET void products(const float *rows, long count, long height, const float *kernel,
                     const float *bias, long panels, float *out)
{
    for (long panel = 0; panel < panels; panel++, bias += 4 * LANES, kernel += height * 4 * LANES) {
        for (long row = 0, size; row < count; row += size) {
            size = count - row < ROWS ? 1 : ROWS;
            floats sums[ROWS][4];
            for (int n = 0; n < size; n++)
                memcpy(sums[n], bias, sizeof sums[n]);
            if (size == ROWS)
                multiply(sums, ROWS, rows + row * height, height, height, kernel);
            else
                multiply(sums, 1, rows + row * height, height, height, kernel);
            for (int n = 0; n < size; n++)
                memcpy(out + ((row + n) * panels + panel) * 4 * LANES, sums[n], sizeof sums[n]);
        }
    }
}

#undef floats
#undef ints
#undef tanh_of
#undef multiply
#undef step
#undef lstm
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
