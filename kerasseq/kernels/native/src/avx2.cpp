// Kernels for processors with AVX2 and FMA.
#define KS_SET avx2
#define KS_NAME "AVX2"
#define KS_BYTES 32
#define KS_ROWS 3
#include "kernels.h"
