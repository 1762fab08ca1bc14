/* A backend in C that has one neuron, sdn@1: cc -O2 -o backend backend.c && ./backend VECTORS RESULTS */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { long *at; long count; } Numbers;
typedef struct { long out, in, trigger, readout, identity; Numbers w, b, theta, low, high, start, mul, off, shift; long *acc, *ref, *pay, *state; } Layer;

static char *after(char *text, const char *key) { /* behind "key": */
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    char *found = strstr(text, quoted);
    return found ? found + strlen(quoted) : NULL;
}

static Numbers numbers(char *text, const char *key) { /* all numbers of a nested list */
    Numbers found = {calloc(1 << 16, sizeof(long)), 0};
    long depth = 0;
    for (char *c = after(text, key); c; c++) {
        if (*c == '[') depth++;
        else if (*c == ']') { if (--depth == 0) break; }
        else if (*c == '-' || (*c >= '0' && *c <= '9')) { found.at[found.count++] = strtol(c, &c, 10); c--; }
    }
    return found;
}

static long number(char *text, const char *key) { return strtol(after(text, key), NULL, 10); }
static long floor_div(long a, long b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static long quantised(Layer *l, long j, long acc) {
    if (l->mul.count) {
        long segments = l->mul.count / l->out, k = segments - 1, *start = l->start.at + j * segments, shift = l->shift.at[j];
        while (k > 0 && start[k] > acc) k--;
        return l->off.at[j * segments + k] + (((acc - start[k]) * l->mul.at[j * segments + k] + (1L << (shift - 1))) >> shift);
    }
    return floor_div(2 * (acc > 0 || l->identity ? acc : 0) + l->theta.at[j], 2 * l->theta.at[j]);
}

static void nested(FILE *to, Layer *layers, long count, long decisions, int states) {
    for (long i = 0; i < count; i++)
        for (long d = 0; d < decisions; d++)
            for (long j = 0; j < layers[i].out; j++)
                fprintf(to, "%s%ld%s", j ? "," : d ? ",[[" : i ? ",[[[" : "[[[[", (states ? layers[i].state : layers[i].pay)[d * layers[i].out + j],
                        j < layers[i].out - 1 ? "" : d < decisions - 1 ? "]]" : i < count - 1 ? "]]]" : "]]]]");
}

static void run(char *text, FILE *to) {
    static Layer layers[16];
    long count = 0, width, saturations[4096] = {0};
    Numbers control = numbers(text, "control");
    Numbers inputs = numbers(after(text, "control"), "inputs"); /* a layer has a key of that name too */
    for (char *c = strstr(text, "\"layers\":"); (c = strstr(c + 1, "{\"neuron\":")); count++) {
        char *next = strstr(c + 1, "{\"neuron\":"), *end = next ? next : after(text, "control"), kept = *end;
        *end = 0; /* the layer's own text */
        Layer l = {number(c, "outputs"), number(c, "inputs"), number(c, "trigger"), strstr(c, "readout@1") != NULL, strstr(c, "\"identity\"") != NULL,
                   numbers(c, "weights"), numbers(c, "bias"), numbers(c, "threshold"), numbers(c, "payload_low"), numbers(c, "payload_high"), {0}, {0}, {0}, {0}, 0, 0, 0, 0};
        if (after(c, "table")) l.start = numbers(c, "start"), l.mul = numbers(c, "multiplier"), l.off = numbers(c, "offset"), l.shift = numbers(c, "shift");
        l.acc = calloc(l.out, sizeof(long)), l.ref = calloc(l.out, sizeof(long));
        l.pay = calloc(control.count * l.out, sizeof(long)), l.state = calloc(control.count * l.out, sizeof(long));
        layers[count] = l;
        *end = kept;
    }
    width = layers[0].in;
    for (long d = 0; d < control.count; d++) {
        long *arriving = inputs.at + d * width;
        for (long i = 0; i < count; i++) {
            Layer *l = layers + i;
            for (long j = 0; j < l->out; j++) {
                if (control.at[d] == 2) l->acc[j] = l->b.at[j], l->ref[j] = 0;
                for (long k = 0; k < l->in; k++) l->acc[j] += l->w.at[j * l->in + k] * arriving[k];
                l->state[d * l->out + j] = l->acc[j];
                if (l->readout) continue;
                long free = quantised(l, j, l->acc[j]), q = free < l->low.at[j] ? l->low.at[j] : free > l->high.at[j] ? l->high.at[j] : free;
                long change = q - l->ref[j];
                saturations[d * count + i] += q != free;
                if (change && (labs(change) >= l->trigger || q == 0)) l->pay[d * l->out + j] = change, l->ref[j] = q;
            }
            arriving = l->pay + d * l->out;
        }
    }
    fprintf(to, "{\"payloads\":"); nested(to, layers, count, control.count, 0);
    fprintf(to, ",\"states\":"); nested(to, layers, count, control.count, 1);
    fprintf(to, ",\"saturations\":");
    for (long n = 0; n < control.count * count; n++) fprintf(to, "%s%ld%s", n % count ? "," : n ? ",[" : "[[", saturations[n], n % count == count - 1 ? "]" : "");
    fprintf(to, "]}\n");
}

int main(int argc, char **argv) {
    struct dirent *entry;
    static char path[4096], text[1 << 20];
    DIR *folder = argc == 3 ? opendir(argv[1]) : NULL;
    if (!folder) return 2;
    while ((entry = readdir(folder))) {
        if (!strstr(entry->d_name, ".json")) continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        FILE *from = fopen(path, "r");
        text[fread(text, 1, sizeof text - 1, from)] = 0;
        fclose(from);
        snprintf(path, sizeof path, "%s/%s", argv[2], entry->d_name);
        FILE *to = fopen(path, "w");
        run(text, to);
        fclose(to);
    }
    return 0;
}
