// The kernels as TensorFlow operations, through TensorFlow's C interface for operations and
// kernels. Its functions are looked up when the library is loaded into a process that has
// TensorFlow, so that building needs no header of it, and other processes do without.
#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "operation.h"

namespace {

using ks::Settings;

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

// The inputs and outputs of one call.
class Call {
  public:
    explicit Call(Context context) : context_(context), status_(tf.TF_NewStatus()) {}
    ~Call() {
        for (Tensor tensor : inputs_)
            if (tensor) tf.TF_DeleteTensor(tensor);
        for (Tensor tensor : outputs_)
            if (tensor) tf.TF_DeleteTensor(tensor);
        tf.TF_DeleteStatus(status_);
    }
    Call(const Call &) = delete;
    Call &operator=(const Call &) = delete;

    bool good() const { return good_; }
    void invalid(const char *message) { fail(kInvalid, message); }
    void exhausted(const char *message) { fail(kExhausted, message); }

    int rank(int i) {
        Tensor tensor = input(i);
        return good_ ? tf.TF_NumDims(tensor) : 0;
    }
    int64_t size(int i, int axis) {
        Tensor tensor = input(i);
        return good_ ? tf.TF_Dim(tensor, axis) : 0;
    }
    bool wide(int i) {
        Tensor tensor = input(i);
        return good_ && tf.TF_TensorType(tensor) == kDouble;
    }

    const void *data(int i, const char *name, int64_t count, bool optional = false) {
        Tensor tensor = input(i);
        if (!good_) return nullptr;
        int64_t found = tf.TF_TensorElementCount(tensor);
        if (found == 0 && (optional || count == 0)) return nullptr;
        if (found != count) {
            char message[160];
            snprintf(message, sizeof message, "%s of %lld elements, where %lld were expected", name,
                     static_cast<long long>(found), static_cast<long long>(count));
            invalid(message);
            return nullptr;
        }
        return tf.TF_TensorData(tensor);
    }
    // TensorFlow has checked types.
    const void *bytes(int i, const char *name, int64_t count, bool optional) {
        return data(i, name, count, optional);
    }

    void *output(int i, int rank, const int64_t *shape, bool wide) {
        int64_t count = 1;
        for (int d = 0; d < rank; ++d) count *= shape[d];
        if (!good_) return nullptr;
        Tensor tensor = tf.TF_AllocateOutput(context_, i, wide ? kDouble : kFloat, shape, rank,
                                             size_t(count) * (wide ? 8 : 4), status_);
        outputs_[i] = tensor;
        check();
        return good_ && count ? tf.TF_TensorData(tensor) : nullptr;
    }

    void *like(int i, int of, bool wide) {
        int64_t shape[4];
        int rank = this->rank(of);
        if (rank > 4) invalid("no input has more than four axes");
        for (int d = 0; d < rank && good_; ++d) shape[d] = size(of, d);
        return output(i, rank, shape, wide);
    }

  private:
    void fail(int code, const char *message) {
        if (!good_) return;
        good_ = false;
        tf.TF_SetStatus(status_, code, message);
        tf.TF_OpKernelContext_Failure(context_, status_);
    }

    Tensor input(int i) {
        if (good_ && !inputs_[i]) {
            tf.TF_GetInput(context_, i, &inputs_[i], status_);
            check();
        }
        return inputs_[i];
    }

    void check() {
        if (tf.TF_GetCode(status_) == 0) return;
        if (good_) tf.TF_OpKernelContext_Failure(context_, status_);
        good_ = false;
    }

    Context context_;
    Status status_;
    Tensor inputs_[13] = {}, outputs_[7] = {};
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

void *create_plain(Context context) {
    auto *threads = new int32_t(1);
    Status status = tf.TF_NewStatus();
    tf.TF_OpKernelConstruction_GetAttrInt32(context, "threads", threads, status);
    if (tf.TF_GetCode(status) != 0) tf.TF_OpKernelConstruction_Failure(context, status);
    tf.TF_DeleteStatus(status);
    return threads;
}

void forward(void *settings, Context context) {
    Call call(context);
    ks::forward(call, *static_cast<Settings *>(settings));
}

void backward(void *settings, Context context) {
    Call call(context);
    ks::backward(call, *static_cast<Settings *>(settings));
}

void linear(void *threads, Context context) {
    Call call(context);
    ks::linear(call, *static_cast<int32_t *>(threads));
}

void linear_gradient(void *threads, Context context) {
    Call call(context);
    ks::linear_gradient(call, *static_cast<int32_t *>(threads));
}

void chain(void *threads, Context context) {
    Call call(context);
    ks::chain(call, *static_cast<int32_t *>(threads));
}

void chain_gradient(void *threads, Context context) {
    Call call(context);
    ks::chain_gradient(call, *static_cast<int32_t *>(threads));
}

void unknown(Context context, Status status) {
    tf.TF_ShapeInferenceContextSetUnknownShape(context, status);
}

void forget(void *settings) { delete static_cast<Settings *>(settings); }
void forget_plain(void *threads) { delete static_cast<int32_t *>(threads); }

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
        define("Kerasseq>Recurrence", settings, inputs, outputs);
        define("Kerasseq>RecurrenceGradient", settings, known, found);
        const char *const terms[] = {"a: T", "b: T", "h: T", nullptr};
        const char *const trail[] = {"trail: T", nullptr};
        const char *const followed[] = {"a: T", "h: T", "trail: T", "dtrail: T", nullptr};
        const char *const slopes[] = {"da: T", "db: T", "dh: T", nullptr};
        const char *const scores[] = {"unary: T", "transitions: T", "mask: bool", nullptr};
        const char *const total[] = {"total: T", nullptr};
        const char *const summed[] = {"unary: T", "transitions: T", "mask: bool", "gradient: T",
                                      nullptr};
        const char *const shares[] = {"dunary: T", "dtransitions: T", nullptr};
        define("Kerasseq>Linear", alone, terms, trail);
        define("Kerasseq>LinearGradient", alone, followed, slopes);
        define("Kerasseq>Chain", alone, scores, total);
        define("Kerasseq>ChainGradient", alone, summed, shares);
        implement("Kerasseq>Recurrence", create, forward, forget);
        implement("Kerasseq>RecurrenceGradient", create, backward, forget);
        implement("Kerasseq>Linear", create_plain, linear, forget_plain);
        implement("Kerasseq>LinearGradient", create_plain, linear_gradient, forget_plain);
        implement("Kerasseq>Chain", create_plain, chain, forget_plain);
        implement("Kerasseq>ChainGradient", create_plain, chain_gradient, forget_plain);
    }
} registered;

}  // namespace
#endif
