#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels.h"
#include "parallel.h"

// Rows of rgb pixels are treated as 3 w numbers whose neighbours lie 3 apart, so that the compiler can take 8 or 16 at once; windows of 3x3
// are summed along columns first, then along rows.

namespace depthgrad {
namespace {

constexpr float C1 = 0.01f * 0.01f;
constexpr float C2 = 0.03f * 0.03f;
constexpr float SSIM_WEIGHT = 0.85f;
// Taken off before the sums: a variance is the small difference of large numbers, the smaller the better.
constexpr float MIDDLE = 0.5f;
constexpr float MIN_WARP_DEPTH = 1e-3f;
constexpr ptrdiff_t SMALLEST = 1 << 12;  // pixels

ptrdiff_t smallestRows(int width) { return std::max<ptrdiff_t>(1, SMALLEST / width); }

// Sums over the columns of three rows of two images, both less MIDDLE: a, b, aa, bb, ab.
struct ColumnSums {
  explicit ColumnSums(int n) : n(n), values(5 * static_cast<size_t>(n)) {}
  float* at(int index) { return values.data() + index * static_cast<size_t>(n); }
  int n;
  std::vector<float> values;
};

void sumColumns(const float* __restrict a, const float* __restrict b, int n, ColumnSums& sums) {
  float *__restrict sa = sums.at(0), *__restrict sb = sums.at(1), *__restrict saa = sums.at(2);
  float *__restrict sbb = sums.at(3), *__restrict sab = sums.at(4);
  for (int j = 0; j < n; j++) {
    const float a0 = a[j] - MIDDLE, a1 = a[j + n] - MIDDLE, a2 = a[j + 2 * n] - MIDDLE;
    const float b0 = b[j] - MIDDLE, b1 = b[j + n] - MIDDLE, b2 = b[j + 2 * n] - MIDDLE;
    sa[j] = a0 + a1 + a2;
    sb[j] = b0 + b1 + b2;
    saa[j] = a0 * a0 + a1 * a1 + a2 * a2;
    sbb[j] = b0 * b0 + b1 * b1 + b2 * b2;
    sab[j] = a0 * b0 + a1 * b1 + a2 * b2;
  }
}

inline float three(const float* values, int j) { return values[j - 3] + values[j] + values[j + 3]; }

// What SSIM of one window is made of.
struct Ssim {
  float meanA, meanB, n1, n2, d1, d2;
};

inline Ssim ssimAt(const float* sa, const float* sb, const float* saa, const float* sbb, const float* sab, int j) {
  constexpr float ninth = 1.0f / 9;
  const float ca = three(sa, j) * ninth, cb = three(sb, j) * ninth;
  const float ma = ca + MIDDLE, mb = cb + MIDDLE;
  return {ma,
          mb,
          2 * ma * mb + C1,
          2 * (three(sab, j) * ninth - ca * cb) + C2,
          ma * ma + mb * mb + C1,
          three(saa, j) * ninth - ca * ca + (three(sbb, j) * ninth - cb * cb) + C2};
}

// Not inlined, where GCC would forget that its arrays are apart.
__attribute__((noinline)) void rowCoefficients(const float* __restrict sx, const float* __restrict sy, const float* __restrict sxx, const float* __restrict syy,
                     const float* __restrict sxy, const float* __restrict weights, float* __restrict A, float* __restrict B,
                     float* __restrict C, int n) {
  for (int j = 3; j < n - 3; j++) {
    const Ssim s = ssimAt(sx, sy, sxx, syy, sxy, j);
    const float inverse = 1 / (s.d1 * s.d2);
    const float ssim = s.n1 * s.n2 * inverse;
    const float half = 0.5f * (1 - ssim);
    const float weight = weights[j] * (-SSIM_WEIGHT / 54);
    const float scale = (half > 0) & (half < 1) ? weight : 0.0f;
    A[j] = scale * (2 * s.meanB * (s.n2 - s.n1) * inverse - 2 * s.meanA * ssim * (1 / s.d1 - 1 / s.d2));
    B[j] = scale * -2 * ssim / s.d2;
    C[j] = scale * 2 * s.n1 * inverse;
  }
}

// d(weight 0.85 (1 - SSIM) / 2 / 3) of the windows around row v as A + B x + C y for every pixel of the window; three maps [h, 3 w].
void ssimCoefficients(const Workspace& work, const float* target, const float* weight) {
  const int n = 3 * work.width;
  const size_t map = static_cast<size_t>(n) * work.height;
  for (int k = 0; k < 3; k++) {
    std::fill_n(work.coefficients + k * map, n, 0.0f);
    std::fill_n(work.coefficients + (k + 1) * map - n, n, 0.0f);
  }
  parallel(work.height - 2, smallestRows(work.width), [&](ptrdiff_t first, ptrdiff_t last) {
    ColumnSums sums(n);
    std::vector<float> weights(n);
    for (ptrdiff_t row = first; row < last; row++) {
      sumColumns(work.warped + row * n, target + row * n, n, sums);
      const float* w = weight + (row + 1) * work.width;
      for (int u = 0; u < work.width; u++) weights[3 * u] = weights[3 * u + 1] = weights[3 * u + 2] = w[u];
      float* A = work.coefficients + (row + 1) * n;
      for (float* edge : {A, A + map, A + 2 * map})
        for (int c = 0; c < 3; c++) edge[c] = edge[n - 1 - c] = 0;
      rowCoefficients(sums.at(0), sums.at(1), sums.at(2), sums.at(3), sums.at(4), weights.data(), A, A + map, A + 2 * map, n);
    }
  });
}

// Chains one pixel's gradient with respect to its sampling position on to log-disparity and pose.
inline void chain(const Workspace& work, ptrdiff_t i, float gx, float gy, const Camera& k, const float* t, float* gradLogDisparity,
                  double* gradPose) {
  const float qz = work.point[3 * i + 2];
  if (qz == 0 || (gx == 0 && gy == 0)) return;  // behind the camera: the clamped sample does not depend on depth or pose
  gradLogDisparity[i] += gx * work.slopeOfLogDisparity[2 * i] + gy * work.slopeOfLogDisparity[2 * i + 1];
  const float qx = work.point[3 * i], qy = work.point[3 * i + 1];
  const float px = gx * k.fx / qz, py = gy * k.fy / qz;
  const float pz = -(px * qx + py * qy) / qz;
  const float ax = qx - t[0], ay = qy - t[1], az = qz - t[2];
  gradPose[0] += px;
  gradPose[1] += py;
  gradPose[2] += pz;
  gradPose[3] += ay * pz - az * py;
  gradPose[4] += az * px - ax * pz;
  gradPose[5] += ax * py - ay * px;
}

// Rows in parallel, each with pose sums of its own that are added in the order of the rows: the same result on any number of threads.
template <typename Row>
void chainRows(const Workspace& work, double* gradPose, const Row& chainRow) {
  std::vector<double> sums(6 * static_cast<size_t>(work.height));
  parallel(work.height, smallestRows(work.width), [&](ptrdiff_t first, ptrdiff_t last) { chainRow(first, last, sums.data()); });
  for (size_t i = 0; i < sums.size(); i++) gradPose[i % 6] += sums[i];
}

}  // namespace

void warpIntoTarget(const Workspace& work, const float* source, const float* logDisparity, const Camera& k, const float* r,
                    const float* t) {
  const int width = work.width, height = work.height;
  parallel(height, smallestRows(width), [&](ptrdiff_t first, ptrdiff_t last) {
    for (ptrdiff_t v = first; v < last; v++) {
      const float ry = (v - k.cy) / k.fy;
      for (int u = 0; u < width; u++) {
        const ptrdiff_t i = v * width + u;
        const float depth = std::exp(-logDisparity[i]);
        const float rx = (u - k.cx) / k.fx;
        const float ax = depth * (r[0] * rx + r[1] * ry + r[2]);
        const float ay = depth * (r[3] * rx + r[4] * ry + r[5]);
        const float az = depth * (r[6] * rx + r[7] * ry + r[8]);
        const float qx = ax + t[0], qy = ay + t[1], qz = az + t[2];
        const bool front = qz > MIN_WARP_DEPTH;
        const float inverseZ = 1 / (front ? qz : MIN_WARP_DEPTH);
        float x = k.fx * qx * inverseZ + k.cx;
        float y = k.fy * qy * inverseZ + k.cy;
        // Written so that NaN counts as outside.
        const bool insideX = x >= 0 && x <= width - 1;
        const bool insideY = y >= 0 && y <= height - 1;
        work.valid[i] = front && insideX && insideY;
        work.point[3 * i] = qx;
        work.point[3 * i + 1] = qy;
        work.point[3 * i + 2] = front ? qz : 0;
        // dD/du = -D, so dq/du = -(q - t).
        work.slopeOfLogDisparity[2 * i] = -k.fx * inverseZ * (ax - qx * inverseZ * az);
        work.slopeOfLogDisparity[2 * i + 1] = -k.fy * inverseZ * (ay - qy * inverseZ * az);
        x = insideX ? x : x > 0 ? width - 1 : 0;
        y = insideY ? y : y > 0 ? height - 1 : 0;
        const int x0 = std::min(static_cast<int>(x), width - 2), y0 = std::min(static_cast<int>(y), height - 2);
        const float a = x - x0, b = y - y0;
        const float *upper = source + 3 * (static_cast<ptrdiff_t>(y0) * width + x0), *lower = upper + 3 * width;
        for (int c = 0; c < 3; c++) {
          const float s00 = upper[c], s01 = upper[c + 3], s10 = lower[c], s11 = lower[c + 3];
          const float top = s00 + a * (s01 - s00), bottom = s10 + a * (s11 - s10);
          work.warped[3 * i + c] = top + b * (bottom - top);
          work.warpedSlope[6 * i + 2 * c] = insideX ? (1 - b) * (s01 - s00) + b * (s11 - s10) : 0;
          work.warpedSlope[6 * i + 2 * c + 1] = insideY ? bottom - top : 0;
        }
      }
    }
  });
}

void photometricError(const float* a, const float* b, int height, int width, float* out) {
  const int n = 3 * width;
  std::fill_n(out, width, 0.0f);
  std::fill_n(out + static_cast<ptrdiff_t>(height - 1) * width, width, 0.0f);
  parallel(height - 2, smallestRows(width), [&](ptrdiff_t first, ptrdiff_t last) {
    ColumnSums sums(n);
    std::vector<float> errors(n);
    for (ptrdiff_t row = first; row < last; row++) {
      sumColumns(a + row * n, b + row * n, n, sums);
      const float *sa = sums.at(0), *sb = sums.at(1), *saa = sums.at(2), *sbb = sums.at(3), *sab = sums.at(4);
      const float *centreA = a + (row + 1) * n, *centreB = b + (row + 1) * n;
      float* __restrict e = errors.data();
      for (int j = 3; j < n - 3; j++) {
        const Ssim s = ssimAt(sa, sb, saa, sbb, sab, j);
        float half = 0.5f * (1 - s.n1 * s.n2 / (s.d1 * s.d2));
        half = half < 0 ? 0 : half;  // NaN stays NaN
        half = half > 1 ? 1 : half;
        e[j] = SSIM_WEIGHT * half + (1 - SSIM_WEIGHT) * std::fabs(centreA[j] - centreB[j]);
      }
      float* line = out + (row + 1) * width;
      line[0] = line[width - 1] = 0;
      for (int u = 1; u < width - 1; u++) line[u] = (e[3 * u] + e[3 * u + 1] + e[3 * u + 2]) / 3;
    }
  });
}

void backwardThroughWarp(const Workspace& work, const float* target, const float* weight, const Camera& k, const float* t,
                         float* gradLogDisparity, double* gradPose) {
  ssimCoefficients(work, target, weight);
  const int width = work.width, height = work.height, n = 3 * width;
  const size_t map = static_cast<size_t>(n) * height;
  constexpr float l1 = (1 - SSIM_WEIGHT) / 3;
  chainRows(work, gradPose, [&](ptrdiff_t first, ptrdiff_t last, double* sums) {
    // Sums along columns with a pixel of zeros at either end.
    std::vector<float> columns[3];
    for (auto& column : columns) column.assign(n + 6, 0.0f);
    std::vector<float> pull(n);
    for (ptrdiff_t v = first; v < last; v++) {
      for (int which = 0; which < 3; which++) {
        const float* __restrict here = work.coefficients + which * map + v * n;
        const float* __restrict above = v > 0 ? here - n : here;
        const float* __restrict below = v < height - 1 ? here + n : here;
        const float useAbove = v > 0, useBelow = v < height - 1;
        float* __restrict column = columns[which].data() + 3;
        for (int j = 0; j < n; j++) column[j] = here[j] + useAbove * above[j] + useBelow * below[j];
      }
      const float *A = columns[0].data() + 3, *B = columns[1].data() + 3, *C = columns[2].data() + 3;
      const float *x = work.warped + v * n, *y = target + v * n;
      float* __restrict g = pull.data();
      for (int j = 0; j < n; j++) g[j] = three(A, j) + x[j] * three(B, j) + y[j] * three(C, j);
      for (int u = 0; u < width; u++) {
        const ptrdiff_t i = v * width + u;
        const float w = weight[i] * l1;
        float gx = 0, gy = 0;
        for (int c = 0; c < 3; c++) {
          const int j = 3 * u + c;
          const float all = g[j] + (x[j] > y[j] ? w : x[j] < y[j] ? -w : 0);
          gx += all * work.warpedSlope[6 * i + 2 * c];
          gy += all * work.warpedSlope[6 * i + 2 * c + 1];
        }
        chain(work, i, gx, gy, k, t, gradLogDisparity, sums + 6 * v);
      }
    }
  });
}

void backwardFromImage(const Workspace& work, const float* pull, const Camera& k, const float* t, float* gradLogDisparity,
                       double* gradPose) {
  chainRows(work, gradPose, [&](ptrdiff_t first, ptrdiff_t last, double* sums) {
    for (ptrdiff_t v = first; v < last; v++) {
      for (ptrdiff_t i = v * work.width; i < (v + 1) * work.width; i++) {
        float gx = 0, gy = 0;
        for (int c = 0; c < 3; c++) {
          gx += pull[3 * i + c] * work.warpedSlope[6 * i + 2 * c];
          gy += pull[3 * i + c] * work.warpedSlope[6 * i + 2 * c + 1];
        }
        chain(work, i, gx, gy, k, t, gradLogDisparity, sums + 6 * v);
      }
    }
  });
}

}  // namespace depthgrad
