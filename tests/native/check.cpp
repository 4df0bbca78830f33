// Runs the recurrences without Python: random problems of every cell, with memory of exactly the
// size that the interface names, so that sanitizers see every step beyond it. Prints the instruction
// set and what is wrong, and ends with 1 if anything is. Arguments:
//   quick    fewer problems
//   threads  only what runs on several threads
//   fork     forks between calls as well
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "problem.h"

extern "C" {
const char *ks_instructions();
size_t ks_reserve(const KsProblem *, int);
int ks_forward(const KsProblem *, int);
int ks_backward(const KsProblem *, int);
int ks_linear(const KsLinear *, int);
int ks_linear_gradient(const KsLinear *, int);
int ks_chain(const KsChain *, int);
int ks_chain_gradient(const KsChain *, int);
}

#if defined(KS_PORTABLE_ALONE) && defined(__x86_64__)  // the other instruction sets are left out
namespace ks {
const Kernels avx2{}, avx512{};
}
#endif

namespace {

std::atomic<int> faults{0};

void expect(bool good, const std::string &what) {
    if (good) return;
    ++faults;
    fprintf(stderr, "%s\n", what.c_str());
}

struct Random {
    uint64_t state;
    uint64_t next() {
        uint64_t z = state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    double number() { return double(next() >> 11) / double(1ull << 52) - 1; }  // from -1 to 1
    int below(int end) { return int(next() % uint64_t(end)); }
};

struct Options {
    int cell, batch, time, inputs, units;
    int activation = KS_TANH, gate = KS_SIGMOID, threads = 1;
    bool mask = false, dropped = false, started = true, biased = true, backwards = false,
         zeros = false, sequences = true;
    uint64_t seed = 1;

    std::string name() const {
        char text[200];
        snprintf(text, sizeof text, "cell %d, %d x %d x %d x %d, activations %d %d, threads %d, "
                 "mask %d, dropped %d, started %d, biased %d, backwards %d, zeros %d, sequences %d: ",
                 cell, batch, time, inputs, units, activation, gate, threads, mask, dropped, started,
                 biased, backwards, zeros, sequences);
        return text;
    }
};

int gates_of(int cell) {
    return cell == KS_GRU || cell == KS_COUPLED ? 3 : cell == KS_SIMPLE ? 1 : 4;
}
int extra_of(int cell) { return cell == KS_PEEPHOLE ? 3 : cell == KS_LAYERNORM ? 10 : 0; }

template <class T> T *data(std::vector<T> &v) { return v.empty() ? nullptr : v.data(); }

// One problem with its memory. Every dtype draws the same numbers.
template <class T> struct Run {
    static constexpr bool wide = sizeof(T) == 8;
    enum { kX, kKernel, kRecurrent, kBias, kExtra, kH, kC, kInputs };
    Options o;
    std::vector<T> in[kInputs], found[kInputs], dropped, y, h, c, reserve, dy, dh, dc;
    std::vector<uint8_t> mask;

    explicit Run(const Options &options) : o(options) {
        Random random{o.seed};
        size_t columns = size_t(gates_of(o.cell) * o.units), state = size_t(o.batch * o.units);
        size_t shown = o.sequences ? size_t(o.time) * state : 0;
        bool two = o.cell != KS_GRU && o.cell != KS_SIMPLE;
        size_t sizes[] = {size_t(o.batch * o.time * o.inputs), size_t(o.inputs) * columns,
                          size_t(o.units) * columns,
                          o.biased ? columns * (o.cell == KS_GRU ? 2 : 1) : 0,
                          size_t(extra_of(o.cell) * o.units), o.started ? state : 0,
                          o.started && two ? state : 0};
        double scales[] = {1, 0.5, 1 / sqrt(o.units), 0.5, 1, 1, 1};
        auto draw = [&](std::vector<T> &to, size_t count, double scale) {
            for (size_t i = 0; i < count; ++i) to.push_back(T(scale * random.number()));
        };
        for (int i = 0; i < kInputs; ++i) draw(in[i], sizes[i], scales[i]);
        draw(dropped, o.dropped ? state : 0, 1);
        draw(dy, shown, 1), draw(dh, state, 1), draw(dc, two ? state : 0, 1);
        for (int i = 0; o.mask && i < o.batch * o.time; ++i) mask.push_back(random.below(3) > 0);
        if (o.mask && o.batch > 2)  // a row without any step that counts
            for (int t = 0; t < o.time; ++t) mask[size_t(o.time + t)] = 0;
        y.resize(shown), h.resize(state), c.resize(two ? state : 0);
        for (int i = 0; i < kInputs; ++i) found[i].resize(in[i].size());
    }

    KsProblem problem() {
        KsProblem p = {};
        p.cell = o.cell, p.activation = o.activation, p.recurrent_activation = o.gate;
        p.go_backwards = o.backwards, p.zero_output = o.zeros, p.threads = o.threads;
        p.batch = o.batch, p.time = o.time, p.inputs = o.inputs, p.units = o.units;
        p.x = data(in[kX]), p.kernel = data(in[kKernel]), p.recurrent = data(in[kRecurrent]);
        p.bias = data(in[kBias]), p.extra = data(in[kExtra]);
        p.h0 = data(in[kH]), p.c0 = data(in[kC]);
        p.recurrent_mask = data(dropped), p.mask = data(mask);
        p.y = data(y), p.h = data(h), p.c = data(c), p.reserve = data(reserve);
        p.dy = data(dy), p.dh = data(dh), p.dc = data(dc);
        p.dx = data(found[kX]), p.dkernel = data(found[kKernel]);
        p.drecurrent = data(found[kRecurrent]), p.dbias = data(found[kBias]);
        p.dextra = data(found[kExtra]), p.dh0 = data(found[kH]), p.dc0 = data(found[kC]);
        return p;
    }

    // What is to be written is not a number before.
    void forward(bool keep) {
        KsProblem p = problem();
        reserve.assign(keep ? ks_reserve(&p, wide) : 0, T(NAN));
        for (auto *v : {&y, &h, &c}) v->assign(v->size(), T(NAN));
        p = problem();
        expect(ks_forward(&p, wide) == 0, o.name() + "forward ran out of memory");
    }
    void backward() {
        for (auto &v : found) v.assign(v.size(), T(NAN));
        KsProblem p = problem();
        expect(ks_backward(&p, wide) == 0, o.name() + "backward ran out of memory");
    }
    void both() { forward(true), backward(); }

    double loss() {
        forward(false);
        double sum = 0;
        for (size_t i = 0; i < y.size(); ++i) sum += double(y[i]) * double(dy[i]);
        for (size_t i = 0; i < h.size(); ++i) sum += double(h[i]) * double(dh[i]);
        for (size_t i = 0; i < c.size(); ++i) sum += double(c[i]) * double(dc[i]);
        return sum;
    }

    std::vector<std::vector<T> *> results() {
        std::vector<std::vector<T> *> all = {&y, &h, &c};
        for (auto &v : found) all.push_back(&v);
        return all;
    }

    bool finite() {
        for (auto *v : results())
            for (T x : *v)
                if (!isfinite(double(x))) return false;
        return true;
    }

    // The largest difference, as a share of each array's largest magnitude; 0 is the same bits.
    template <class U> double distance(Run<U> &other) {
        auto a = results();
        auto b = other.results();
        double worst = 0;
        for (size_t k = 0; k < a.size(); ++k) {
            double most = 0, size = 1e-30;
            for (size_t i = 0; i < a[k]->size(); ++i) {
                double x = double((*a[k])[i]), y = double((*b[k])[i]);
                if (!(x == y)) most = fmax(most, isnan(x - y) ? INFINITY : fabs(x - y));
                size = fmax(size, fabs(y));
            }
            worst = fmax(worst, most / size);
        }
        return worst;
    }
};

// Leaves memory that later calls get full of what is not a number.
template <class T> void spoil() {
    for (int cell : {KS_LSTM, KS_LAYERNORM}) {
        Options o{cell, 12, 9, 70, 70};  // the largest that is drawn
        o.dropped = true, o.threads = 3;
        Run<T> run(o);
        for (auto &v : run.in) v.assign(v.size(), T(NAN));
        run.dropped.assign(run.dropped.size(), T(NAN));
        run.both();
    }
}

Options random_options(Random &random, int cell, int most) {
    static const int widths[] = {1, 3, 4, 8, 16, 17, 33, 70};
    Options o{cell, 1 + random.below(most), 1 + random.below(9), widths[random.below(8)],
              widths[random.below(8)]};
    o.activation = random.below(KS_ACTIVATIONS), o.gate = random.below(KS_ACTIVATIONS);
    if (o.gate == KS_RELU || o.gate == KS_LINEAR) o.gate = KS_SIGMOID;  // what grows without end
    o.mask = random.below(2), o.dropped = random.below(3) == 0, o.started = random.below(2);
    o.biased = random.below(4) > 0, o.backwards = random.below(2), o.zeros = random.below(2);
    o.sequences = random.below(3) > 0, o.threads = 1 + random.below(3), o.seed = random.next();
    return o;
}

// Every gradient, in a few of its elements, against central differences.
void slopes(const Options &o) {
    Run<double> run(o);
    run.both();
    Run<double> moved(o);
    Random random{o.seed};
    for (int k = 0; k < Run<double>::kInputs; ++k)
        for (int trial = 0; trial < 3 && !run.in[k].empty(); ++trial) {
            size_t i = size_t(random.below(int(run.in[k].size())));
            const double step = 1e-5, start = run.in[k][i];
            moved.in[k][i] = start + step;
            double above = moved.loss();
            moved.in[k][i] = start - step;
            double slope = (above - moved.loss()) / (2 * step), got = run.found[k][i];
            moved.in[k][i] = start;
            expect(fabs(slope - got) <= 1e-5 * (1 + fabs(slope)),
                   o.name() + "gradient " + std::to_string(k) + " is " + std::to_string(got) +
                       " instead of " + std::to_string(slope));
        }
}

void drawn_problems(int count) {
    Random random{7};
    for (int cell = 0; cell < KS_CELLS; ++cell)
        for (int n = 0; n < count; ++n) {
            Options o = random_options(random, cell, 12);
            Run<double> exact(o), again(o);
            Run<float> rough(o);
            exact.both();
            spoil<double>(), spoil<float>();
            again.both(), rough.both();
            expect(exact.finite() && rough.finite(), o.name() + "not finite");
            expect(again.distance(exact) == 0, o.name() + "another result on used memory");
            double off = rough.distance(exact);
            expect(off < 1e-3, o.name() + "float32 is off by " + std::to_string(off));
            slopes(o);
        }
}

// Of a size that is split over threads.
Options large(int cell, int threads) {
    Options o{cell, 70, 12, 17, 33};
    o.mask = true, o.threads = threads;
    return o;
}

template <class T> void any_threads(int count) {
    static const int sizes[][4] = {{70, 12, 17, 33}, {37, 40, 3, 40}, {71, 9, 8, 64}, {7, 30, 5, 70}};
    for (int n = 0; n < count * KS_CELLS; ++n) {
        const int *size = sizes[n / KS_CELLS];
        Options o{n % KS_CELLS, size[0], size[1], size[2], size[3]};
        o.mask = n & 1;
        Run<T> alone(o);
        alone.both();
        for (o.threads = 2; o.threads <= 4; ++o.threads) {
            Run<T> some(o), again(o);
            some.both(), again.both();
            double share = sizeof(T) == 8 ? 1e-13 : 1e-5;
            expect(some.distance(alone) < share, some.o.name() + "threads change the result");
            expect(again.distance(some) == 0, some.o.name() + "two runs differ");
        }
    }
}

void callers_at_a_time(int rounds) {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller)
        callers.emplace_back([=] {
            for (int n = 0; n < rounds; ++n) {
                Options o = large((caller + n) % KS_CELLS, 3);
                o.seed = uint64_t(caller + 1);
                Run<float> first(o), again(o);
                first.both(), again.both();
                expect(first.finite(), o.name() + "not finite among other callers");
                expect(again.distance(first) == 0, o.name() + "another result among other callers");
            }
        });
    for (auto &caller : callers) caller.join();
}

// What is not a number in a row stays in that row, and shows there.
template <class T> void not_numbers() {
    for (int cell = 0; cell < KS_CELLS; ++cell)
        for (T value : {T(NAN), T(INFINITY), T(-INFINITY), T(1e30)}) {
            Options o = large(cell, 3);
            o.mask = false;
            Run<T> clean(o), run(o);
            clean.both();
            const int row = 5, step = 4;
            run.in[0][size_t((row * o.time + step) * o.inputs)] = value;
            run.both();
            int64_t each = int64_t(o.time) * o.units;
            bool others = true, before = true, shows = true;
            for (int64_t i = 0; i < o.batch * each; ++i) {
                T a = run.y[size_t(i)], b = clean.y[size_t(i)];
                if (i / each != row) others = others && a == b;
                else if (i % each / o.units < step) before = before && a == b;
                else shows = shows && isnan(a);
            }
            expect(others, o.name() + "other rows change with one that is not a number");
            expect(before, o.name() + "earlier steps change with one that is not a number");
            expect(shows || !isnan(value), o.name() + "what is not a number is lost");
        }
}

// No rows, or no steps: states pass through, and weights have no part in it.
template <class T> void nothing() {
    for (int cell = 0; cell < KS_CELLS; ++cell)
        for (int empty = 0; empty < 2; ++empty) {
            Options o{cell, empty ? 3 : 0, empty ? 0 : 3, 5, 17};
            Run<T> run(o);
            spoil<T>();
            run.both();
            expect(run.finite(), o.name() + "not finite without rows or steps");
            expect(run.h == run.in[Run<T>::kH], o.name() + "states change without steps");
            expect(run.found[Run<T>::kH] == run.dh, o.name() + "gradients change without steps");
            for (int k = 0; k < Run<T>::kH; ++k)
                for (T x : run.found[k]) expect(x == 0, o.name() + "a gradient from nothing");
        }
}

// Some elements of a gradient against finite differences of a weighted sum of results.
template <class T, class F>
void slopes(Random &random, std::vector<T> &input, const std::vector<T> &gradient,
            const std::vector<T> &weight, F results, const std::string &name, int number) {
    for (int trial = 0; trial < 5 && !input.empty(); ++trial) {
        size_t i = size_t(random.below(int(input.size())));
        double sides[2];
        T start = input[i];
        for (int side = 0; side < 2; ++side) {
            input[i] = start + T(side ? 1e-5 : -1e-5);
            auto values = results();
            sides[side] = 0;
            for (size_t j = 0; j < values.size(); ++j) sides[side] += values[j] * double(weight[j]);
        }
        input[i] = start;
        double slope = (sides[1] - sides[0]) / 2e-5;
        expect(fabs(slope - double(gradient[i])) <= 1e-6 * (1 + fabs(slope)),
               name + "gradient " + std::to_string(number));
    }
}

struct Steps {
    int parts, batch, time, units, threads;
};

// h = a h' + b, by the book.
template <class T> void linear(const Steps &n) {
    Random random{3};
    int64_t state = int64_t(n.batch) * n.units, each = state * n.time;
    auto draw = [&](int64_t count) {
        std::vector<T> v;
        for (int64_t i = 0; i < count; ++i) v.push_back(T(0.9 * random.number()));
        return v;
    };
    std::vector<T> in[] = {draw(n.parts * each), draw(n.parts * each), draw(n.parts * state)};
    std::vector<T> trail(in[0].size(), T(NAN)), weight = draw(n.parts * each);
    std::vector<T> found[] = {std::vector<T>(in[0].size(), T(NAN)),
                              std::vector<T>(in[1].size(), T(NAN)),
                              std::vector<T>(in[2].size(), T(NAN))};
    KsLinear p = {};
    p.parts = n.parts, p.threads = n.threads;
    p.batch = n.batch, p.time = n.time, p.units = n.units;
    p.a = data(in[0]), p.b = data(in[1]), p.h0 = data(in[2]), p.trail = data(trail);
    p.dtrail = data(weight), p.da = data(found[0]), p.db = data(found[1]), p.dh0 = data(found[2]);
    const bool wide = sizeof(T) == 8;
    const double share = wide ? 1e-12 : 1e-4;
    std::string name = "linear, " + std::to_string(n.parts) + " parts: ";

    auto statement = [&] {
        std::vector<double> h(in[0].size());
        for (int64_t i = 0; i < state; ++i) {
            double re = double(in[2][size_t(i)]);
            double im = n.parts > 1 ? double(in[2][size_t(state + i)]) : 0;
            for (int64_t t = 0; t < n.time; ++t) {
                size_t at = size_t((i / n.units * n.time + t) * n.units + i % n.units);
                double a = double(in[0][at]), b = double(in[1][at]), old = re;
                double a_im = n.parts > 1 ? double(in[0][size_t(each) + at]) : 0;
                re = a * old - a_im * im + b, h[at] = re;
                if (n.parts == 1) continue;
                im = a * im + a_im * old + double(in[1][size_t(each) + at]);
                h[size_t(each) + at] = im;
            }
        }
        return h;
    };
    expect(ks_linear(&p, wide) == 0 && ks_linear_gradient(&p, wide) == 0, name + "out of memory");
    auto expected = statement();
    for (size_t i = 0; i < trail.size(); ++i)
        expect(fabs(double(trail[i]) - expected[i]) <= share * (1 + fabs(expected[i])),
               name + "another state");
    for (int k = 0; k < 3; ++k) {
        for (T x : found[k]) expect(isfinite(double(x)), name + "a gradient is not finite");
        if (wide) slopes(random, in[k], found[k], weight, statement, name, k);
    }
    auto before = trail;
    if (trail.empty()) return;
    in[1][0] = T(NAN);  // the first row's
    ks_linear(&p, wide), ks_linear_gradient(&p, wide);
    expect(isnan(trail[0]), name + "what is not a number is lost");
    for (int64_t i = int64_t(n.time) * n.units; i < each; ++i)
        expect(trail[size_t(i)] == before[size_t(i)], name + "another row changes");
}

struct Labels {
    int batch, time, labels, threads;
};

// The sum over all paths through a chain, by the book.
template <class T> void chain(const Labels &n) {
    Random random{5};
    auto draw = [&](int64_t count) {
        std::vector<T> v;
        for (int64_t i = 0; i < count; ++i) v.push_back(T(3 * random.number()));
        return v;
    };
    const int64_t each = int64_t(n.time) * n.labels;
    std::vector<T> in[] = {draw(n.batch * each), draw(int64_t(n.labels) * n.labels)};
    std::vector<T> weight = draw(n.batch), total(size_t(n.batch), T(NAN));
    std::vector<T> gradients[] = {std::vector<T>(in[0].size(), T(NAN)),
                                  std::vector<T>(in[1].size(), T(NAN))};
    std::vector<uint8_t> mask;
    for (int64_t i = 0; i < int64_t(n.batch) * n.time; ++i) mask.push_back(random.below(4) > 0);
    KsChain p = {};
    p.threads = n.threads, p.batch = n.batch, p.time = n.time, p.labels = n.labels;
    p.unary = data(in[0]), p.transitions = data(in[1]), p.total = data(total);
    p.mask = mask.empty() ? nullptr : mask.data(), p.gradient = data(weight);
    KsChain back = p;
    back.dunary = data(gradients[0]), back.dtransitions = data(gradients[1]);
    const bool wide = sizeof(T) == 8;
    const double share = wide ? 1e-12 : 1e-5;

    auto statement = [&] {
        std::vector<double> sums;
        const size_t width = size_t(n.labels);
        for (int64_t row = 0; row < n.batch; ++row) {
            std::vector<double> paths;  // logarithms
            for (int64_t t = 0; t < n.time; ++t) {
                if (!mask[size_t(row * n.time + t)]) continue;
                std::vector<double> next;
                for (size_t j = 0; j < width; ++j) {
                    double reach = paths.empty() ? 1 : 0;
                    for (size_t i = 0; i < paths.size(); ++i)
                        reach += exp(paths[i] - paths[0] + double(in[1][i * width + j]));
                    next.push_back(double(in[0][size_t(row * each) + size_t(t) * width + j]) +
                                   log(reach) + (paths.empty() ? 0 : paths[0]));
                }
                paths = next;
            }
            double sum = paths.empty() ? 1 : 0;
            for (double path : paths) sum += exp(path - paths[0]);
            sums.push_back(log(sum) + (paths.empty() ? 0 : paths[0]));
        }
        return sums;
    };
    expect(ks_chain(&p, wide) == 0 && ks_chain_gradient(&back, wide) == 0, "chain: out of memory");
    auto expected = statement();
    for (size_t i = 0; i < total.size(); ++i)
        expect(fabs(double(total[i]) - expected[i]) <= share * (1 + fabs(expected[i])),
               "chain: another sum");
    for (int k = 0; k < 2; ++k) {
        for (T x : gradients[k]) expect(isfinite(double(x)), "chain: a gradient is not finite");
        if (wide) slopes(random, in[k], gradients[k], weight, statement, "chain: ", k);
    }
    if (in[0].empty()) return;
    auto before = total;
    in[0][0] = T(NAN), mask[0] = 1;  // the first row's
    ks_chain(&p, wide);
    expect(isnan(total[0]), "chain: what is not a number is lost");
    for (size_t row = 1; row < total.size(); ++row)
        expect(total[row] == before[row], "chain: another row changes");
}

// A child has none of the threads, and perhaps a lock that one of them held.
void forks(int count) {
    Run<float> expected(large(KS_LSTM, 3));
    expected.both();
    std::atomic<bool> over{false};
    std::vector<std::thread> others;
    for (int n = 0; n < 2; ++n)
        others.emplace_back([&] {
            Run<float> run(Options{KS_SIMPLE, 2, 2, 3, 4});
            while (!over) run.both();
        });
    for (int n = 0; n < count && !faults; ++n) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            Run<float> run(expected.o);
            run.both();
            _exit(run.distance(expected) == 0 ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        expect(!WIFSIGNALED(status), "a forked process was stopped");
        expect(!WIFEXITED(status) || WEXITSTATUS(status) == 0, "a forked process is wrong");
    }
    over = true;
    for (auto &other : others) other.join();
}

}  // namespace

int main(int count, char **arguments) {
    auto asked = [&](const char *word) {
        for (int i = 1; i < count; ++i)
            if (!strcmp(arguments[i], word)) return true;
        return false;
    };
    const bool quick = asked("quick");
    printf("%s\n", ks_instructions());
    fflush(stdout);
    any_threads<float>(quick ? 2 : 4), any_threads<double>(quick ? 2 : 4);
    callers_at_a_time(quick ? 3 : 6);
    if (!asked("threads")) {
        drawn_problems(quick ? 4 : 12);
        not_numbers<float>(), not_numbers<double>();
        nothing<float>(), nothing<double>();
        for (int parts = 1; parts <= 2; ++parts)
            for (int units : {1, 17, 64})
                for (int batch : {0, 1, 33})
                    for (int time : {0, 1, 50}) {
                        Steps steps{parts, batch, time, units, 3};
                        linear<float>(steps), linear<double>(steps);
                    }
        for (int labels : {1, 20, 33})
            for (int batch : {0, 1, 33})
                for (int time : {0, 1, 30}) {
                    Labels sizes{batch, time, labels, 3};
                    chain<float>(sizes), chain<double>(sizes);
                }
    }
    if (asked("fork")) forks(quick ? 10 : 40);
    if (faults) fprintf(stderr, "%d faults\n", int(faults));
    return faults > 0;
}
