#include <cmath>

#include "kernels.h"
#include "parallel.h"

namespace depthgrad {
namespace {
constexpr ptrdiff_t SMALLEST = 1 << 15;
}

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

void adam(const AdamFactors& f, const float* gradient, float* weights, float* firstMoment, float* secondMoment, ptrdiff_t count) {
  parallel(count, SMALLEST, [=](ptrdiff_t first, ptrdiff_t last) {
    const float* __restrict g = gradient;
    float* __restrict w = weights;
    float* __restrict m = firstMoment;
    float* __restrict v = secondMoment;
    for (ptrdiff_t i = first; i < last; i++) {
      const float pull = g[i] * f.clip + f.weightDecay * w[i];
      m[i] += (1 - f.beta1) * (pull - m[i]);
      v[i] += (1 - f.beta2) * (pull * pull - v[i]);
      w[i] -= f.rate * m[i] / (std::sqrt(v[i]) + f.epsilon);
    }
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
