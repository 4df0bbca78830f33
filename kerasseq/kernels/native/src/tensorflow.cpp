// The kernels as TensorFlow operations, through TensorFlow's C interface for operations and
// kernels. Its functions are looked up when the library is loaded into a process that has
// TensorFlow, so that building needs no header of it, and other processes do without.
#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "problem.h"

extern "C" {
size_t ks_reserve(const KsProblem *, int);
int ks_forward(const KsProblem *, int);
int ks_backward(const KsProblem *, int);
int ks_linear(const KsLinear *, int);
int ks_linear_gradient(const KsLinear *, int);
}

namespace {

// What is used of TensorFlow's C interface; its opaque types are pointers here.
enum { kFloat = 1, kDouble = 2, kBool = 10 };
enum { kInvalid = 3, kExhausted = 8 };
typedef void *Status, *Context, *Tensor, *Builder;

#define KS_TENSORFLOW(F)                                                                  \
    F(Status, TF_NewStatus, (void))                                                       \
    F(void, TF_DeleteStatus, (Status))                                                    \
    F(void, TF_SetStatus, (Status, int, const char *))                                    \
    F(int, TF_GetCode, (Status))                                                          \
    F(void, TF_DeleteTensor, (Tensor))                                                    \
    F(int, TF_TensorType, (Tensor))                                                       \
    F(int, TF_NumDims, (Tensor))                                                          \
    F(int64_t, TF_Dim, (Tensor, int))                                                     \
    F(void *, TF_TensorData, (Tensor))                                                    \
    F(int64_t, TF_TensorElementCount, (Tensor))                                           \
    F(void, TF_GetInput, (Context, int, Tensor *, Status))                                \
    F(Tensor, TF_AllocateOutput,                                                          \
      (Context, int, int, const int64_t *, int, size_t, Status))                          \
    F(void, TF_OpKernelContext_Failure, (Context, Status))                                \
    F(void, TF_OpKernelConstruction_GetAttrInt32, (Context, const char *, int32_t *, Status)) \
    F(void, TF_OpKernelConstruction_Failure, (Context, Status))                           \
    F(Builder, TF_NewOpDefinitionBuilder, (const char *))                                 \
    F(void, TF_OpDefinitionBuilderAddAttr, (Builder, const char *))                       \
    F(void, TF_OpDefinitionBuilderAddInput, (Builder, const char *))                      \
    F(void, TF_OpDefinitionBuilderAddOutput, (Builder, const char *))                     \
    F(void, TF_OpDefinitionBuilderSetShapeInferenceFunction,                              \
      (Builder, void (*)(Context, Status)))                                               \
    F(void, TF_ShapeInferenceContextSetUnknownShape, (Context, Status))                   \
    F(void, TF_RegisterOpDefinition, (Builder, Status))                                   \
    F(Builder, TF_NewKernelBuilder,                                                       \
      (const char *, const char *, void *(*)(Context), void (*)(void *, Context),         \
       void (*)(void *)))                                                                 \
    F(void, TF_RegisterKernelBuilder, (const char *, Builder, Status))

#define KS_DECLARE(result, name, arguments) result(*name) arguments = nullptr;
struct {
    KS_TENSORFLOW(KS_DECLARE)
} tf;

bool find() {
#ifdef __APPLE__
    const char *name = "libtensorflow_framework.2.dylib";
#else
    const char *name = "libtensorflow_framework.so.2";
#endif
    void *library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return false;
    bool all = true;
#define KS_FIND(result, name, arguments) \
    all = (tf.name = reinterpret_cast<result(*) arguments>(dlsym(library, #name))) && all;
    KS_TENSORFLOW(KS_FIND)
    return all;
}

// Attributes, all of them integers.
struct Settings {
    int32_t cell, activation, recurrent_activation, go_backwards, zero_output, threads, sequences,
        keep;
};

// The inputs and outputs of one call; the first fault is reported and ends it.
class Call {
  public:
    explicit Call(Context context) : context_(context), status_(tf.TF_NewStatus()) {}
    ~Call() {
        for (int i = 0; i < count_; ++i) tf.TF_DeleteTensor(held_[i]);
        tf.TF_DeleteStatus(status_);
    }
    Call(const Call &) = delete;
    Call &operator=(const Call &) = delete;

    bool good() const { return good_; }
    void fail(int code, const char *message) {
        if (!good_) return;
        good_ = false;
        tf.TF_SetStatus(status_, code, message);
        tf.TF_OpKernelContext_Failure(context_, status_);
    }

    Tensor input(int i) {
        Tensor tensor = nullptr;
        tf.TF_GetInput(context_, i, &tensor, status_);
        return hold(tensor);
    }

    // An input's data; null where it may be left out, and is by having no elements.
    const void *data(int i, const char *name, int64_t count, bool optional = false) {
        Tensor tensor = good_ ? input(i) : nullptr;
        if (!good_) return nullptr;
        int64_t found = tf.TF_TensorElementCount(tensor);
        if (found == 0 && (optional || count == 0)) return nullptr;
        if (found != count) {
            char message[160];
            snprintf(message, sizeof message, "%s of %lld elements, where %lld were expected", name,
                     static_cast<long long>(found), static_cast<long long>(count));
            fail(kInvalid, message);
        }
        return tf.TF_TensorData(tensor);
    }

    void *output(int i, int rank, const int64_t *shape, bool wide) {
        int64_t count = 1;
        for (int d = 0; d < rank; ++d) count *= shape[d];
        if (!good_) return nullptr;
        Tensor tensor = tf.TF_AllocateOutput(context_, i, wide ? kDouble : kFloat, shape, rank,
                                             size_t(count) * (wide ? 8 : 4), status_);
        hold(tensor);
        return good_ && count ? tf.TF_TensorData(tensor) : nullptr;
    }

    // An output of the shape of an input.
    void *like(int i, Tensor tensor, bool wide) {
        if (!good_) return nullptr;
        int64_t shape[4];
        int rank = tf.TF_NumDims(tensor);
        if (rank > 4) fail(kInvalid, "no input has more than four axes");
        for (int d = 0; d < rank && good_; ++d) shape[d] = tf.TF_Dim(tensor, d);
        return output(i, rank, shape, wide);
    }

  private:
    Tensor hold(Tensor tensor) {
        if (tf.TF_GetCode(status_) != 0) {
            if (good_) tf.TF_OpKernelContext_Failure(context_, status_);
            good_ = false;
        }
        if (tensor) held_[count_++] = tensor;
        return tensor;
    }

    Context context_;
    Status status_;
    Tensor held_[64];
    int count_ = 0;
    bool good_ = true;
};

void *create(Context context) {
    auto *s = new Settings{};
    Status status = tf.TF_NewStatus();
    auto read = [&](const char *name, int32_t &to) {
        tf.TF_OpKernelConstruction_GetAttrInt32(context, name, &to, status);
        if (tf.TF_GetCode(status) != 0) tf.TF_OpKernelConstruction_Failure(context, status);
    };
    read("cell", s->cell), read("activation", s->activation);
    read("recurrent_activation", s->recurrent_activation);
    read("go_backwards", s->go_backwards), read("zero_output", s->zero_output);
    read("threads", s->threads), read("sequences", s->sequences), read("keep", s->keep);
    tf.TF_DeleteStatus(status);
    return s;
}

void *create_linear(Context context) {
    auto *threads = new int32_t(1);
    Status status = tf.TF_NewStatus();
    tf.TF_OpKernelConstruction_GetAttrInt32(context, "threads", threads, status);
    if (tf.TF_GetCode(status) != 0) tf.TF_OpKernelConstruction_Failure(context, status);
    tf.TF_DeleteStatus(status);
    return threads;
}

int64_t gates_of(int cell) {
    switch (cell) {
    case KS_GRU: case KS_COUPLED: return 3;
    case KS_SIMPLE: return 1;
    default: return 4;
    }
}

int64_t extra_of(int cell) { return cell == KS_PEEPHOLE ? 3 : cell == KS_LAYERNORM ? 10 : 0; }

// The first nine inputs of both operations, checked against each other.
KsProblem problem(Call &call, const Settings &s, bool &wide) {
    KsProblem p = {};
    p.cell = s.cell, p.activation = s.activation, p.recurrent_activation = s.recurrent_activation;
    p.go_backwards = s.go_backwards, p.zero_output = s.zero_output, p.threads = s.threads;
    Tensor x = call.input(0), recurrent = call.input(2);
    if (!call.good()) return p;
    if (tf.TF_NumDims(x) != 3 || tf.TF_NumDims(recurrent) != 2) {
        call.fail(kInvalid, "x must be (batch, time, inputs), and the recurrent kernel a matrix");
        return p;
    }
    wide = tf.TF_TensorType(x) == kDouble;
    p.batch = tf.TF_Dim(x, 0), p.time = tf.TF_Dim(x, 1), p.inputs = tf.TF_Dim(x, 2);
    p.units = tf.TF_Dim(recurrent, 0);
    int64_t columns = gates_of(s.cell) * p.units, states = p.batch * p.units;
    p.x = tf.TF_TensorData(x);
    p.kernel = call.data(1, "kernel", p.inputs * columns);
    p.recurrent = call.data(2, "recurrent kernel", p.units * columns);
    p.bias = call.data(3, "bias", s.cell == KS_GRU ? 2 * columns : columns, true);
    p.extra = call.data(4, "extra weights", extra_of(s.cell) * p.units);
    p.h0 = call.data(5, "h", states, true), p.c0 = call.data(6, "c", states, true);
    p.mask = static_cast<const uint8_t *>(call.data(7, "mask", p.batch * p.time, true));
    p.recurrent_mask = call.data(8, "recurrent mask", states, true);
    return p;
}

void finish(Call &call, int code) {
    if (code) call.fail(kExhausted, "a recurrent layer ran out of memory");
}

void forward(void *settings, Context context) {
    const auto &s = *static_cast<Settings *>(settings);
    Call call(context);
    bool wide = false;
    KsProblem p = problem(call, s, wide);
    if (!call.good()) return;
    int64_t sequence[] = {p.batch, s.sequences ? p.time : 0, p.units};
    int64_t state[] = {p.batch, p.units};
    int64_t reserve[] = {s.keep ? int64_t(ks_reserve(&p, wide)) : 0};
    p.y = call.output(0, 3, sequence, wide);
    p.h = call.output(1, 2, state, wide), p.c = call.output(2, 2, state, wide);
    p.reserve = call.output(3, 1, reserve, wide);
    if (call.good()) finish(call, ks_forward(&p, wide));
}

void backward(void *settings, Context context) {
    const auto &s = *static_cast<Settings *>(settings);
    Call call(context);
    bool wide = false;
    KsProblem p = problem(call, s, wide);
    if (!call.good()) return;
    int64_t states = p.batch * p.units;
    p.reserve = const_cast<void *>(call.data(9, "reserve", int64_t(ks_reserve(&p, wide))));
    p.dy = call.data(10, "gradient of the outputs", p.batch * p.time * p.units, true);
    p.dh = call.data(11, "gradient of h", states, true);
    p.dc = call.data(12, "gradient of c", states, true);
    void **gradients[] = {&p.dx, &p.dkernel, &p.drecurrent, &p.dbias, &p.dextra, &p.dh0, &p.dc0};
    for (int i = 0; i < 7; ++i)
        if (call.good()) *gradients[i] = call.like(i, call.input(i), wide);
    if (call.good()) finish(call, ks_backward(&p, wide));
}

// Inputs a and h0, of (parts, batch, time, units) and (parts, batch, units).
KsLinear linear_problem(Call &call, int32_t threads, Tensor a, bool &wide) {
    KsLinear p = {};
    p.threads = threads;
    if (!call.good()) return p;
    if (tf.TF_NumDims(a) != 4) {
        call.fail(kInvalid, "a must be (parts, batch, time, units)");
        return p;
    }
    wide = tf.TF_TensorType(a) == kDouble;
    p.parts = int32_t(tf.TF_Dim(a, 0)), p.batch = tf.TF_Dim(a, 1);
    p.time = tf.TF_Dim(a, 2), p.units = tf.TF_Dim(a, 3);
    p.a = tf.TF_TensorData(a);
    return p;
}

void linear(void *threads, Context context) {
    Call call(context);
    bool wide = false;
    Tensor a = call.input(0);
    KsLinear p = linear_problem(call, *static_cast<int32_t *>(threads), a, wide);
    int64_t all = p.parts * p.batch * p.time * p.units;
    p.b = call.data(1, "b", all), p.h0 = call.data(2, "h", p.parts * p.batch * p.units, true);
    p.trail = call.good() ? call.like(0, a, wide) : nullptr;
    if (call.good()) finish(call, ks_linear(&p, wide));
}

void linear_gradient(void *threads, Context context) {
    Call call(context);
    bool wide = false;
    Tensor a = call.input(0);
    KsLinear p = linear_problem(call, *static_cast<int32_t *>(threads), a, wide);
    int64_t all = p.parts * p.batch * p.time * p.units;
    p.h0 = call.data(1, "h", p.parts * p.batch * p.units, true);
    p.trail = const_cast<void *>(call.data(2, "trail", all));
    p.dtrail = call.data(3, "gradient of the trail", all);
    if (call.good()) p.da = call.like(0, a, wide), p.db = call.like(1, a, wide);
    if (call.good()) p.dh0 = call.like(2, call.input(1), wide);
    if (call.good()) finish(call, ks_linear_gradient(&p, wide));
}

void unknown(Context context, Status status) {
    tf.TF_ShapeInferenceContextSetUnknownShape(context, status);
}

void forget(void *settings) { delete static_cast<Settings *>(settings); }
void forget_linear(void *threads) { delete static_cast<int32_t *>(threads); }

void define(const char *name, const char *const *attributes, const char *const *inputs,
            const char *const *outputs) {
    Builder builder = tf.TF_NewOpDefinitionBuilder(name);
    tf.TF_OpDefinitionBuilderAddAttr(builder, "T: {float, double}");
    for (; *attributes; ++attributes) tf.TF_OpDefinitionBuilderAddAttr(builder, *attributes);
    for (; *inputs; ++inputs) tf.TF_OpDefinitionBuilderAddInput(builder, *inputs);
    for (; *outputs; ++outputs) tf.TF_OpDefinitionBuilderAddOutput(builder, *outputs);
    tf.TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, unknown);
    Status status = tf.TF_NewStatus();
    tf.TF_RegisterOpDefinition(builder, status);
    tf.TF_DeleteStatus(status);
}

void implement(const char *name, void *(*make)(Context), void (*compute)(void *, Context),
               void (*end)(void *)) {
    Status status = tf.TF_NewStatus();
    tf.TF_RegisterKernelBuilder(name, tf.TF_NewKernelBuilder(name, "CPU", make, compute, end), status);
    tf.TF_DeleteStatus(status);
}

struct Register {
    Register() {
        if (!find()) return;
        const char *const settings[] = {
            "cell: int", "activation: int", "recurrent_activation: int", "go_backwards: int",
            "zero_output: int", "threads: int", "sequences: int", "keep: int", nullptr};
        const char *const alone[] = {"threads: int", nullptr};
        const char *const inputs[] = {"x: T", "kernel: T", "recurrent: T", "bias: T", "extra: T",
                                      "h: T", "c: T", "mask: bool", "recurrent_mask: T", nullptr};
        const char *const outputs[] = {"outputs: T", "last_h: T", "last_c: T", "reserve: T", nullptr};
        const char *const known[] = {
            "x: T", "kernel: T", "recurrent: T", "bias: T", "extra: T", "h: T", "c: T", "mask: bool",
            "recurrent_mask: T", "reserve: T", "doutputs: T", "dlast_h: T", "dlast_c: T", nullptr};
        const char *const found[] = {"dx: T", "dkernel: T", "drecurrent: T", "dbias: T",
                                     "dextra: T", "dh: T", "dc: T", nullptr};
        define("KerasseqRecurrence", settings, inputs, outputs);
        define("KerasseqRecurrenceGradient", settings, known, found);
        const char *const terms[] = {"a: T", "b: T", "h: T", nullptr};
        const char *const trail[] = {"trail: T", nullptr};
        const char *const followed[] = {"a: T", "h: T", "trail: T", "dtrail: T", nullptr};
        const char *const slopes[] = {"da: T", "db: T", "dh: T", nullptr};
        define("KerasseqLinear", alone, terms, trail);
        define("KerasseqLinearGradient", alone, followed, slopes);
        implement("KerasseqRecurrence", create, forward, forget);
        implement("KerasseqRecurrenceGradient", create, backward, forget);
        implement("KerasseqLinear", create_linear, linear, forget_linear);
        implement("KerasseqLinearGradient", create_linear, linear_gradient, forget_linear);
    }
} registered;

}  // namespace
#endif
