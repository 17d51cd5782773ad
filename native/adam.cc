#include <cmath>

#include "kernels.h"
#include "parallel.h"

namespace depthgrad {
namespace {
// Waking a thread takes about as long as this many weights.
constexpr ptrdiff_t SMALLEST = 1 << 16;

void update(const AdamFactors f, const float* __restrict g, float* __restrict w, float* __restrict m, float* __restrict v,
            float* __restrict a, ptrdiff_t count) {
  const float rest1 = 1 - f.beta1, rest2 = 1 - f.beta2;
  for (ptrdiff_t i = 0; i < count; i++) {
    const float pull = g[i] * f.clip + f.weightDecay * w[i];
    const float first = m[i] + rest1 * (pull - m[i]);
    const float second = v[i] + rest2 * (pull * pull - v[i]);
    const float moved = w[i] - f.rate * first / (std::sqrt(second) + f.epsilon);
    m[i] = first;
    v[i] = second;
    w[i] = moved;
    a[i] += f.share * (moved - a[i]);
  }
}
}  // namespace

double sumOfSquares(const float* values, ptrdiff_t count) {
  constexpr int lanes = 16;  // a fixed order of addition, whatever the compiler makes of it
  double sums[lanes] = {};
  ptrdiff_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (int lane = 0; lane < lanes; lane++) sums[lane] += static_cast<double>(values[i + lane]) * values[i + lane];
  double sum = 0;
  for (; i < count; i++) sum += static_cast<double>(values[i]) * values[i];
  for (double part : sums) sum += part;
  return sum;
}

void adam(const AdamFactors& factors, const float* gradient, float* weights, float* firstMoment, float* secondMoment, float* average,
          ptrdiff_t count) {
  parallel(count, SMALLEST, [&](ptrdiff_t first, ptrdiff_t last) {
    update(factors, gradient + first, weights + first, firstMoment + first, secondMoment + first, average + first, last - first);
  });
}

void moveAverage(float share, const float* weights, float* average, ptrdiff_t count) {
  parallel(count, SMALLEST, [=](ptrdiff_t first, ptrdiff_t last) {
    const float* __restrict w = weights;
    float* __restrict a = average;
    for (ptrdiff_t i = first; i < last; i++) a[i] += share * (w[i] - a[i]);
  });
}

}  // namespace depthgrad
