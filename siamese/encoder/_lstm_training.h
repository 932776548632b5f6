/* The recurrence of `lstm_gradient.py` and its gradient, for one kind of processor.
 *
 * Arrays are in packed order, as there; gates are input, forget, candidate, output. A task is some
 * rows of one direction: rows need nothing of each other, so that neither their company nor the
 * number of threads changes a bit.
 */

#define load NAMED(load)
#define store NAMED(store)
#define forward_rows NAMED(forward_rows)
#define backward_rows NAMED(backward_rows)
#define lstm_forward NAMED(lstm_forward)
#define lstm_backward NAMED(lstm_backward)

/* Reads up to `count` numbers; the rest are zeros. */
INLINE floats load(const float *from, long count)
{
    floats x = {0};
    if (count >= LANES)
        return *(const floats *)from;
    if (count > 0)
        memcpy(&x, from, 4 * count);
    return x;
}

INLINE void store(float *to, floats x, long count)
{
    if (count >= LANES)
        *(floats *)to = x;
    else if (count > 0)
        memcpy(to, &x, 4 * count);
}

/* Takes the steps of a task's rows. */
TARGET static void forward_rows(const struct task *task)
{
    const struct layer *at = task->layer;
    long units = at->units, panels = (units + LANES - 1) / LANES, start = 0, before = 0, there = 0;
    const float *weights = at->weights + task->direction * panels * units * 4 * LANES;
    for (long step = 0; step < at->steps; step++) {
        long count = rows_of(task, step), first = start + task->direction * at->counts[step];
        for (long begin = 0; begin < count; begin += BLOCK) {
            long size = count - begin < BLOCK ? count - begin : BLOCK;
            long going_on = there - begin < 0 ? 0 : there - begin < size ? there - begin : size;
            long now[BLOCK], then[BLOCK];
            const float *outputs[BLOCK], *inputs[BLOCK];
            for (long n = 0; n < size; n++) {
                long row = task->first + (begin + n) * task->apart;
                now[n] = first + row;
                then[n] = before + row;
                outputs[n] = at->outputs + then[n] * units;
                inputs[n] = at->table + at->read[now[n]] * 4 * units;
            }
            for (long panel = 0; panel < panels; panel++) {
                long from = panel * LANES, left = units - from;
                floats sums[BLOCK][4];
                memset(sums, 0, size * sizeof sums[0]);
                multiply(sums, going_on, 4, outputs, units, weights + from * 4 * units);
                memset(sums + going_on, 0, (size - going_on) * sizeof sums[0]);
                for (long n = 0; n < size; n++) {
                    floats *gates = sums[n];
                    long of_gates = now[n] * 4 * units + from, of_cell = now[n] * units + from;
                    for (int gate = 0; gate < 4; gate++) {
                        gates[gate] += load(inputs[n] + from + gate * units, left);
                        gates[gate] *= SPREAD(gate == 2 ? 1.0f : 0.5f);
                    }
                    tanh_all(gates);
                    for (int gate = 0; gate < 4; gate++) {
                        if (gate != 2)
                            gates[gate] = FMA(gates[gate], SPREAD(0.5f), SPREAD(0.5f));
                        store(at->gates + of_gates + gate * units, gates[gate], left);
                    }
                    floats c = gates[0] * gates[2];
                    if (n < going_on)
                        c = FMA(gates[1], load(at->cells + then[n] * units + from, left), c);
                    store(at->cells + of_cell, c, left);
                    gates[0] = c;
                }
                for (long n = 0; n < size; n += 4) {
                    floats c[4];
                    for (int i = 0; i < 4; i++)
                        c[i] = sums[n + i < size ? n + i : n][0];
                    tanh_all(c);
                    for (int i = 0; i < 4 && n + i < size; i++)
                        store(at->outputs + now[n + i] * units + from, sums[n + i][3] * c[i], left);
                }
            }
        }
        before = first;
        there = count;
        start += 2 * at->counts[step];
    }
}

/* Takes the gradient of a task's rows back through their steps.
 *
 * Weights are the transposed recurrent kernel, in panels of 4 registers.
 */
TARGET static void backward_rows(const struct task *task)
{
    const struct layer *at = task->layer;
    long units = at->units, panels = (units + 4 * LANES - 1) / (4 * LANES), width = 4 * LANES;
    long end = 0, after = 0, there = 0;
    const float *weights = at->weights + task->direction * panels * 4 * units * width;
    float *states = at->states + task->direction * at->counts[0] * units;
    for (long step = 0; step < at->steps; step++)
        end += 2 * at->counts[step];
    for (long step = at->steps - 1; step >= 0; step--) {
        long count = rows_of(task, step), start = end - 2 * at->counts[step];
        long first = start + task->direction * at->counts[step];
        long before = step ? start - (2 - task->direction) * at->counts[step - 1] : 0;
        for (long begin = 0; begin < count; begin += BLOCK) {
            long size = count - begin < BLOCK ? count - begin : BLOCK;
            long going_on = there - begin < 0 ? 0 : there - begin < size ? there - begin : size;
            for (long panel = 0; panel < panels; panel++) {
                floats sums[BLOCK][4];
                memset(sums, 0, size * sizeof sums[0]);
                for (long gate = 0; gate < 4; gate++) { /* a quarter of a panel stays near */
                    const float *later[BLOCK];
                    for (long n = 0; n < going_on; n++)
                        later[n] = at->of_gates +
                                   (after + task->first + (begin + n) * task->apart) * 4 * units +
                                   gate * units;
                    multiply(sums, going_on, 4, later, units,
                             weights + (panel * 4 + gate) * units * width);
                }
                memset(sums + going_on, 0, (size - going_on) * sizeof sums[0]);
                for (long n = 0; n < size; n++) {
                    long row = task->first + (begin + n) * task->apart, now = first + row;
                    floats cells[4], tanhs[4];
                    for (int i = 0; i < 4; i++) {
                        long from = panel * width + i * LANES;
                        cells[i] = load(at->cells + now * units + from, units - from);
                        tanhs[i] = cells[i];
                    }
                    tanh_all(tanhs);
                    for (int k = 0; k < 4; k++) {
                        long from = panel * width + k * LANES, left = units - from;
                        if (left <= 0)
                            break;
                        const float *gates = at->gates + now * 4 * units + from;
                        floats i = load(gates, left), f = load(gates + units, left);
                        floats g = load(gates + 2 * units, left), o = load(gates + 3 * units, left);
                        floats one = SPREAD(1.0f), c_before = {0}, tanh_c = tanhs[k];
                        if (step)
                            c_before = load(at->cells + (before + row) * units + from, left);
                        floats of_h = sums[n][k] + load(at->of_outputs + now * units + from, left);
                        floats of_c = of_h * o * (one - tanh_c * tanh_c);
                        if (n < going_on)
                            of_c += load(states + row * units + from, left);
                        store(states + row * units + from, of_c * f, left);
                        float *found = at->of_gates + now * 4 * units + from;
                        store(found, of_c * g * i * (one - i), left);
                        store(found + units, of_c * c_before * f * (one - f), left);
                        store(found + 2 * units, of_c * i * (one - g * g), left);
                        store(found + 3 * units, of_h * tanh_c * o * (one - o), left);
                    }
                }
            }
        }
        after = first;
        there = count;
        end = start;
    }
}

void lstm_forward(struct layer *layer, long threads) { in_threads(forward_rows, layer, threads); }

void lstm_backward(struct layer *layer, long threads)
{
    in_threads(backward_rows, layer, threads);
    in_threads(sum_rows, layer, threads);
}

#undef load
#undef store
#undef forward_rows
#undef backward_rows
#undef lstm_forward
#undef lstm_backward
