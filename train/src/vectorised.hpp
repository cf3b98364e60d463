#pragma once

/// A function of plain loops, compiled for several processors; the best is taken when the program
/// starts. Not under sanitizers, whose run time is not yet there when it is taken.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MUSTER_VECTORISED                                                                          \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MUSTER_VECTORISED
#endif
