#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels.h"

// Rows of the target are treated one after the other, and sums are taken along columns first, so that the compiler can take 8 or 16 pixels
// at once and the order of addition is the same on every machine.

namespace depthgrad {
namespace {

constexpr int PARAMETERS = 6;
constexpr int PRODUCTS = PARAMETERS * (PARAMETERS + 1) / 2;  // of two parameters' slopes, each pair once
constexpr int COORDINATES = 3;

using Matrix6 = std::array<double, 36>;
using Motion = std::array<double, 12>;

Matrix6 multiply(const Matrix6& a, const Matrix6& b) {
  Matrix6 out{};
  for (int i = 0; i < 6; i++)
    for (int k = 0; k < 6; k++)
      for (int j = 0; j < 6; j++) out[6 * i + j] += a[6 * i + k] * b[6 * k + j];
  return out;
}

// [R | t] of the product p * q.
Motion compose(const double* p, const Motion& q) {
  Motion out;
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 4; j++) {
      double sum = j == 3 ? p[4 * i + 3] : 0;
      for (int k = 0; k < 3; k++) sum += p[4 * i + k] * q[4 * k + j];
      out[4 * i + j] = sum;
    }
  }
  return out;
}

// The points of row v; NaN where the depth is no positive number, which is outside of every image.
void rowPoints(const AlignmentLevel& level, int v, float* __restrict x, float* __restrict y, float* __restrict z) {
  const Camera k = level.camera;
  const float* logDisparity = level.logDisparity + static_cast<ptrdiff_t>(v) * level.width;
  const float rayY = (v - k.cy) / k.fy;
  for (int u = 0; u < level.width; u++) {
    const float depth = std::exp(-logDisparity[u]);
    z[u] = depth > 0 && depth <= std::numeric_limits<float>::max() ? depth : std::numeric_limits<float>::quiet_NaN();
    x[u] = (u - k.cx) / k.fx * z[u];
    y[u] = rayY * z[u];
  }
}

// d grey level of the target / d motion along row v, from central differences that are zero on the border: six rows.
void rowJacobian(const AlignmentLevel& level, int v, const float* __restrict x, const float* __restrict y, const float* __restrict z,
                 float* __restrict jacobian) {
  const int width = level.width;
  const Camera k = level.camera;
  std::fill_n(jacobian, PARAMETERS * width, 0.0f);
  if (v == 0 || v == level.height - 1) return;
  const float* __restrict t = level.target + static_cast<ptrdiff_t>(v) * width;
  for (int u = 1; u < width - 1; u++) {
    if (!(z[u] > 0)) continue;  // unknown, and of no weight: zero, since NaN times no weight would be NaN
    const float a = (t[u + 1] - t[u - 1]) / 2 * k.fx / z[u];
    const float b = (t[u + width] - t[u - width]) / 2 * k.fy / z[u];
    const float c = -(a * x[u] + b * y[u]) / z[u];
    jacobian[u] = a;
    jacobian[width + u] = b;
    jacobian[2 * width + u] = c;
    jacobian[3 * width + u] = c * y[u] - b * z[u];
    jacobian[4 * width + u] = a * z[u] - c * x[u];
    jacobian[5 * width + u] = b * x[u] - a * y[u];
  }
}

// Where in the source the motion m puts the points of a row; `seen` is 1, or 0 and the position 0 outside of it. In doubles: rounding a
// position is most of the error of a residual. Not inlined, where GCC would forget that its arrays are apart.
__attribute__((noinline)) void rowPositions(const AlignmentLevel& level, double minDepth, const double* __restrict m,
                                            const float* __restrict x, const float* __restrict y, const float* __restrict z,
                                            double* __restrict across, double* __restrict down, float* __restrict seen) {
  const double fx = level.camera.fx, fy = level.camera.fy, cx = level.camera.cx, cy = level.camera.cy;
  const double right = level.width - 1, bottom = level.height - 1;
  for (int u = 0, width = level.width; u < width; u++) {
    const double qz = m[8] * x[u] + m[9] * y[u] + m[10] * z[u] + m[11];
    const double inverseZ = 1 / (qz >= minDepth ? qz : minDepth);
    const double px = fx * (m[0] * x[u] + m[1] * y[u] + m[2] * z[u] + m[3]) * inverseZ + cx;
    const double py = fy * (m[4] * x[u] + m[5] * y[u] + m[6] * z[u] + m[7]) * inverseZ + cy;
    // Written so that NaN counts as outside.
    const bool inside = (qz >= minDepth) & (px >= 0) & (px <= right) & (py >= 0) & (py <= bottom);
    across[u] = inside ? px : 0;
    down[u] = inside ? py : 0;
    seen[u] = inside ? 1 : 0;
  }
}

// Buffers for a row.
struct Line {
  explicit Line(ptrdiff_t width)
      : positions(2 * width),
        values(4 * width),
        across(positions.data()),
        down(across + width),
        seen(values.data()),
        residual(seen + width),
        weight(residual + width),
        scaled(weight + width) {}
  std::vector<double> positions;
  std::vector<float> values;
  double *across, *down;
  float *seen, *residual, *weight, *scaled;
};

// Grey levels of the source at those positions, less the target's; 0 outside the source.
void rowResiduals(const AlignmentLevel& level, const AlignmentConstants& constants, const double* m, const float* x, const float* y,
                  const float* z, int v, const Line& line) {
  const int width = level.width;
  rowPositions(level, constants.minDepth, m, x, y, z, line.across, line.down, line.seen);
  const float* target = level.target + static_cast<ptrdiff_t>(v) * width;
  for (int u = 0; u < width; u++) {
    const int x0 = std::min(static_cast<int>(line.across[u]), width - 2);
    const int y0 = std::min(static_cast<int>(line.down[u]), level.height - 2);
    const float a = static_cast<float>(line.across[u] - x0), b = static_cast<float>(line.down[u] - y0);
    const float *above = level.source + static_cast<ptrdiff_t>(y0) * width + x0, *below = above + width;
    const float upper = above[0] + a * (above[1] - above[0]), lower = below[0] + a * (below[1] - below[0]);
    line.residual[u] = line.seen[u] != 0 ? upper + b * (lower - upper) - target[u] : 0;
  }
}

void addProducts(const float* __restrict a, const float* __restrict b, int n, double* __restrict sums) {
  for (int j = 0; j < n; j++) sums[j] += a[j] * b[j];
}

double total(const double* values, int n) {
  double sum = 0;
  for (int j = 0; j < n; j++) sum += values[j];
  return sum;
}

// What a Gauss-Newton step needs to know of the images under a motion; weights are 1 / (1 + (residual / scale)^2).
struct NormalEquations {
  double weightSum;
  std::array<double, PARAMETERS> gradient;
  Matrix6 matrix;  // J^T W J / sum of weights, where it was asked for
};

// One level with its points and slopes, which hold for every motion.
class LevelRefiner {
 public:
  LevelRefiner(const AlignmentLevel& level, const AlignmentConstants& constants)
      : level_(level),
        constants_(constants),
        width_(level.width),
        rows_(ROWS * static_cast<size_t>(level.width) * level.height),
        line_(level.width),
        columns_((1 + PARAMETERS + PRODUCTS) * static_cast<size_t>(level.width)) {
    for (int v = 0; v < level.height; v++) {
      float *x = row(v), *y = x + width_, *z = y + width_;
      rowPoints(level, v, x, y, z);
      rowJacobian(level, v, x, y, z, z + width_);
    }
  }

  NormalEquations at(const double* motion, bool withMatrix) {
    float *seen = line_.seen, *residual = line_.residual, *weight = line_.weight, *scaled = line_.scaled;
    double *weights = columns_.data(), *gradients = weights + width_, *products = gradients + PARAMETERS * width_;
    const float scale = 1 / static_cast<float>(constants_.residualScale);
    std::fill(columns_.begin(), columns_.end(), 0.0);
    for (int v = 0; v < level_.height; v++) {
      const float *x = row(v), *jacobian = x + COORDINATES * width_;
      rowResiduals(level_, constants_, motion, x, x + width_, x + 2 * width_, v, line_);
      for (ptrdiff_t u = 0; u < width_; u++) {
        const float relative = residual[u] * scale;
        weight[u] = seen[u] / (1 + relative * relative);
        scaled[u] = weight[u] * residual[u];
      }
      addProducts(weight, seen, width_, weights);
      for (int r = 0; r < PARAMETERS; r++) addProducts(scaled, jacobian + r * width_, width_, gradients + r * width_);
      if (!withMatrix) continue;
      for (int r = 0, pair = 0; r < PARAMETERS; r++) {
        for (ptrdiff_t u = 0; u < width_; u++) scaled[u] = weight[u] * jacobian[r * width_ + u];
        for (int c = r; c < PARAMETERS; c++, pair++) addProducts(scaled, jacobian + c * width_, width_, products + pair * width_);
      }
    }
    NormalEquations out;
    out.weightSum = 1 + total(weights, width_);
    for (int r = 0; r < PARAMETERS; r++) out.gradient[r] = total(gradients + r * width_, width_);
    for (int r = 0, pair = 0; withMatrix && r < PARAMETERS; r++)
      for (int c = r; c < PARAMETERS; c++, pair++)
        out.matrix[6 * r + c] = out.matrix[6 * c + r] = total(products + pair * width_, width_) / out.weightSum;
    return out;
  }

 private:
  static constexpr int ROWS = COORDINATES + PARAMETERS;

  // x, y, z, then the six slopes, `width` of each.
  float* row(int v) { return rows_.data() + v * ROWS * width_; }

  const AlignmentLevel& level_;
  const AlignmentConstants& constants_;
  const ptrdiff_t width_;
  std::vector<float> rows_;
  const Line line_;
  std::vector<double> columns_;
};

}  // namespace

void smallMotion(const double* d, double* motion) {
  const double a = d[3], b = d[4], c = d[5];
  const Motion m{1 - (b * b + c * c) / 2, -c + a * b / 2, b + a * c / 2, d[0],
                 c + a * b / 2, 1 - (a * a + c * c) / 2, -a + b * c / 2, d[1],
                 -b + a * c / 2, a + b * c / 2, 1 - (a * a + b * b) / 2, d[2]};
  std::copy(m.begin(), m.end(), motion);
}

void invertNormalMatrix(const AlignmentConstants& constants, const double* h, double* inverse) {
  std::array<double, 6> scale;
  for (int i = 0; i < 6; i++) scale[i] = 1 / std::sqrt(h[7 * i] * (1 + constants.damping) + constants.diagonalFloor);
  Matrix6 a, x{};
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < 6; j++) a[6 * i + j] = i == j ? 1 : h[6 * i + j] * scale[i] * scale[j];
  // The eigenvalues of a lie in (0, 6): X0 = I / 6 converges.
  for (int i = 0; i < 6; i++) x[7 * i] = 1.0 / 6;
  for (int k = 0; k < constants.inverseIterations; k++) {
    Matrix6 correction = multiply(a, x);
    for (int i = 0; i < 36; i++) correction[i] = (i % 7 == 0 ? 2 : 0) - correction[i];
    x = multiply(x, correction);
  }
  for (int i = 0; i < 36; i++) inverse[i] = x[i] * scale[i / 6] * scale[i % 6];
}

void refineMotion(const AlignmentLevel& level, const AlignmentConstants& constants, const int32_t* iterations, size_t groups,
                  double* motion) {
  LevelRefiner refiner(level, constants);
  for (size_t group = 0; group < groups; group++) {
    Matrix6 inverse;
    for (int k = 0; k < iterations[group]; k++) {
      const NormalEquations equations = refiner.at(motion, k == 0);
      if (k == 0) invertNormalMatrix(constants, equations.matrix.data(), inverse.data());
      std::array<double, PARAMETERS> step{};
      for (int r = 0; r < 6; r++)
        for (int c = 0; c < 6; c++) step[r] -= inverse[6 * r + c] * equations.gradient[c] / equations.weightSum;
      Motion change;
      smallMotion(step.data(), change.data());
      const Motion moved = compose(motion, change);
      std::copy(moved.begin(), moved.end(), motion);
    }
  }
}

double alignmentCost(const AlignmentLevel& level, const AlignmentConstants& constants, const double* motion) {
  const ptrdiff_t width = level.width;
  std::vector<float> points(COORDINATES * width);
  std::vector<double> columns(width);
  const Line line(width);
  float *x = points.data(), *y = x + width, *z = y + width;
  double* __restrict sums = columns.data();
  const float scale = static_cast<float>(constants.residualScale * constants.residualScale);
  for (int v = 0; v < level.height; v++) {
    const float *target = level.target + v * width, *source = level.source + v * width;
    rowPoints(level, v, x, y, z);
    rowResiduals(level, constants, motion, x, y, z, v, line);
    for (ptrdiff_t u = 0; u < width; u++) {
      const float difference = line.seen[u] != 0 ? line.residual[u] : source[u] - target[u];
      const float squared = difference * difference;
      sums[u] += squared / (squared + scale);
    }
  }
  return total(sums, width) / (static_cast<double>(width) * level.height);
}

void blockMeans(const float* map, int height, int width, int channels, int side, float* out) {
  const ptrdiff_t n = static_cast<ptrdiff_t>(width) * channels;
  const int block = side * channels;
  const float share = 1.0f / (side * block);
  std::vector<float> columns(n);
  for (int row = 0; row < height / side; row++) {
    std::fill(columns.begin(), columns.end(), 0.0f);
    float* __restrict sums = columns.data();
    for (int v = row * side; v < (row + 1) * side; v++)
      for (ptrdiff_t j = 0; j < n; j++) sums[j] += map[v * n + j];
    for (int u = 0; u < width / side; u++) {
      float sum = 0;
      for (int j = u * block; j < (u + 1) * block; j++) sum += sums[j];
      *out++ = sum * share;
    }
  }
}

}  // namespace depthgrad
