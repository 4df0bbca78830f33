// Kernels for any processor.
#define KS_SET portable
#define KS_NAME "portable"
#define KS_BYTES 16
#define KS_ROWS 3
#include "kernels.h"
