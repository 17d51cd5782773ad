// Rows or elements split over threads.
#pragma once
#include <cstddef>
#include <functional>

namespace depthgrad {

// Calls work(first, last) for parts of 0..count that together cover it, at the same time, and returns when all are done. A part has at
// least `smallest` members, so that little work stays on the calling thread. There are as many threads as TensorFlow has:
// TF_NUM_INTRAOP_THREADS, or one per core.
void parallel(ptrdiff_t count, ptrdiff_t smallest, const std::function<void(ptrdiff_t, ptrdiff_t)>& work);

}  // namespace depthgrad
