// The kernels as handlers of XLA's foreign-function interface, by which JAX calls them. The parts
// of its C interface that are used are declared here, so that building needs no header of it. They
// are the same in versions 0.1 to 0.3 (jaxlib 0.6 to 0.10): what changed is behind them.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "operation.h"

namespace {

// XLA_FFI_DataType, _Extension_Type, _ArgType and _RetType, _AttrType, _Error_Code.
enum { kBool = 1, kInt32 = 4, kFloat = 11, kDouble = 12 };
enum { kMetadata = 1, kBuffer = 1, kArray = 1 };
enum { kInvalid = 3, kExhausted = 8 };
struct Extension {  // begins every struct, whose size comes first
    size_t struct_size;
    int type;
    Extension *next;
};

struct Version {
    size_t struct_size;
    Extension *extensions;
    int major, minor;
};

struct ErrorArguments {
    size_t struct_size;
    Extension *extensions;
    const char *message;
    int code;
};

struct Error;

struct Api {
    size_t struct_size;
    Extension *extensions;
    Version version;
    void *internal;
    Error *(*create_error)(ErrorArguments *);
};

struct Buffer {
    size_t struct_size;
    Extension *extensions;
    int type;
    void *data;
    int64_t rank;
    int64_t *shape;
};

struct Array {
    int type;
    size_t size;
    void *data;
};

struct Buffers {  // arguments and results
    size_t struct_size;
    Extension *extensions;
    int64_t count;
    int *kinds;
    void **values;
};

struct Attributes {
    size_t struct_size;
    Extension *extensions;
    int64_t count;
    int *kinds;
    void **names;
    void **values;
};

struct Frame {
    size_t struct_size;
    Extension *extensions;
    const Api *api;
    void *context;
    int stage;
    Buffers arguments, results;
    Attributes attributes;
};

struct Metadata {
    size_t struct_size;
    Version version;
};

struct MetadataExtension {
    Extension base;
    Metadata *metadata;
};

int minor_version = 0;  // as `ks_xla_version` was told

// XLA asks which version of the interface a handler was made for, when it is registered, and may
// refuse it.
bool asked_for_metadata(const Frame *frame) {
    const Extension *extension = frame->extensions;
    if (!extension || extension->type != kMetadata) return false;
    Version &version = reinterpret_cast<const MetadataExtension *>(extension)->metadata->version;
    version.major = 0;
    version.minor = minor_version;
    return true;
}

// The inputs and outputs of one call.
class Call {
  public:
    explicit Call(Frame *frame) : frame_(frame) {}

    bool good() const { return good_; }
    void invalid(const char *message) { fail(kInvalid, message); }
    void exhausted(const char *message) { fail(kExhausted, message); }
    Error *error() const { return error_; }

    // The attribute, which is one array of integers.
    template <class Settings> Settings settings() {
        Settings found = {};
        const Attributes &given = frame_->attributes;
        bool array = given.count == 1 && given.kinds[0] == kArray;
        const auto *values = array ? static_cast<const Array *>(given.values[0]) : nullptr;
        if (!array || values->type != kInt32 || 4 * values->size != sizeof found) {
            invalid("the attribute must be one array of 32-bit integers of the expected length");
            return found;
        }
        memcpy(&found, values->data, sizeof found);
        return found;
    }

    int rank(int i) {
        const Buffer *buffer = argument(i);
        return buffer ? int(buffer->rank) : 0;
    }
    int64_t size(int i, int axis) {
        const Buffer *buffer = argument(i);
        return buffer ? buffer->shape[axis] : 0;
    }
    bool wide(int i) {
        const Buffer *buffer = argument(i);
        return buffer && buffer->type == kDouble;
    }

    const void *data(int i, const char *name, int64_t count, bool optional = false) {
        return checked(argument(i), wide(0) ? kDouble : kFloat, name, count, optional);
    }
    const void *bytes(int i, const char *name, int64_t count, bool optional) {
        return checked(argument(i), kBool, name, count, optional);
    }

    // XLA has made the outputs, of the shapes that Python asked for.
    void *output(int i, int rank, const int64_t *shape, bool wide) {
        int64_t count = 1;
        for (int d = 0; d < rank; ++d) count *= shape[d];
        return checked(one_of(frame_->results, i), wide ? kDouble : kFloat, "an output", count, false);
    }

    // One without elements was not asked for.
    void *like(int i, int of, bool wide) {
        const Buffer *buffer = argument(of);
        if (!buffer) return nullptr;
        return checked(one_of(frame_->results, i), wide ? kDouble : kFloat, "a gradient",
                       elements(buffer), true);
    }

  private:
    void fail(int code, const char *message) {
        if (!good_) return;
        good_ = false;
        ErrorArguments arguments = {sizeof arguments, nullptr, message, code};
        error_ = frame_->api->create_error(&arguments);
    }

    const Buffer *argument(int i) { return one_of(frame_->arguments, i); }

    const Buffer *one_of(const Buffers &buffers, int i) {
        if (good_ && (i >= buffers.count || buffers.kinds[i] != kBuffer))
            invalid("too few arguments or results, or some that are no buffers");
        return good_ ? static_cast<const Buffer *>(buffers.values[i]) : nullptr;
    }

    static int64_t elements(const Buffer *buffer) {
        int64_t count = 1;
        for (int64_t d = 0; d < buffer->rank; ++d) count *= buffer->shape[d];
        return count;
    }

    void *checked(const Buffer *buffer, int type, const char *name, int64_t count, bool optional) {
        if (!good_) return nullptr;
        int64_t found = elements(buffer);
        if (found == 0 && (optional || count == 0)) return nullptr;
        if (found != count || buffer->type != type) {
            char message[160];
            snprintf(message, sizeof message,
                     "%s of %lld elements of type %d, where %lld of type %d were expected", name,
                     static_cast<long long>(found), buffer->type, static_cast<long long>(count), type);
            invalid(message);
            return nullptr;
        }
        return buffer->data;
    }

    Frame *frame_;
    Error *error_ = nullptr;
    bool good_ = true;
};

template <class Settings> Error *handle(Frame *frame, void (*run)(Call &, const Settings &)) {
    if (asked_for_metadata(frame)) return nullptr;
    Call call(frame);
    auto settings = call.settings<Settings>();
    if (call.good()) run(call, settings);
    return call.error();
}

void linear(Call &call, const int32_t &threads) { ks::linear(call, threads); }
void linear_gradient(Call &call, const int32_t &threads) { ks::linear_gradient(call, threads); }
void chain(Call &call, const int32_t &threads) { ks::chain(call, threads); }
void chain_gradient(Call &call, const int32_t &threads) { ks::chain_gradient(call, threads); }

}  // namespace

#define KS_EXPORT extern "C" __attribute__((visibility("default")))
#define KS_HANDLER(name, run) \
    KS_EXPORT Error *ks_xla_##name(Frame *frame) { return handle(frame, run); }

// Before handlers are registered: the version 0.minor that they give as theirs.
KS_EXPORT void ks_xla_version(int minor) { minor_version = minor; }

KS_HANDLER(forward, ks::forward<Call>)
KS_HANDLER(backward, ks::backward<Call>)
KS_HANDLER(linear, linear)
KS_HANDLER(linear_gradient, linear_gradient)
KS_HANDLER(chain, chain)
KS_HANDLER(chain_gradient, chain_gradient)
