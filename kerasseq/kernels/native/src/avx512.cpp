// Kernels for processors with AVX-512.
#define KS_SET avx512
#define KS_NAME "AVX-512"
#define KS_BYTES 64
#define KS_ROWS 6
#include "kernels.h"
