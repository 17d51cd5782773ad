// The arithmetic that a training step spends most of its time on outside TensorFlow. What each function computes, and its source, is said
// in TypeScript where it is called: src/training/losses/photometricKernel.ts, src/training/optimizer.ts and src/geometry/alignment.ts.
#pragma once
#include <cstddef>
#include <cstdint>

namespace depthgrad {

struct Camera {
  float fx, fy, cx, cy;
};

// One image's buffers; see PhotometricWorkspace.
struct Workspace {
  int height, width;
  float* warped;
  float* warpedSlope;
  float* slopeOfLogDisparity;
  float* point;
  uint8_t* valid;
  float* coefficients;
};

void warpIntoTarget(const Workspace&, const float* source, const float* logDisparity, const Camera&, const float* rotation,
                    const float* translation);

void photometricError(const float* a, const float* b, int height, int width, float* out);

// gradPose: 3 numbers of the translation, then 3 of the rotation; added to, as is gradLogDisparity.
void backwardThroughWarp(const Workspace&, const float* target, const float* weight, const Camera&, const float* translation,
                         float* gradLogDisparity, double* gradPose);

// The same from the gradient with respect to the warped image [h,w,3] on.
void backwardFromImage(const Workspace&, const float* pull, const Camera&, const float* translation, float* gradLogDisparity,
                       double* gradPose);

double sumOfSquares(const float* values, ptrdiff_t count);

// `share`: of the new weights in their average.
struct AdamFactors {
  float clip, weightDecay, beta1, beta2, rate, epsilon, share;
};

// In one pass: all of it is memory traffic.
void adam(const AdamFactors&, const float* gradient, float* weights, float* firstMoment, float* secondMoment, float* average,
          ptrdiff_t count);

// average += share * (weights - average)
void moveAverage(float share, const float* weights, float* average, ptrdiff_t count);

// Two images [height, width] and the log-disparity of the target.
struct AlignmentLevel {
  int height, width;
  Camera camera;
  const float *target, *source, *logDisparity;
};

// Those of src/geometry/alignment.ts.
struct AlignmentConstants {
  double residualScale, minDepth, damping, diagonalFloor;
  int inverseIterations;
};

// motion: 3x4 row-major [R | t], as in the functions below
void smallMotion(const double* translationAndRotation, double* motion);

void invertNormalMatrix(const AlignmentConstants&, const double* matrix, double* inverse);

// Changes the motion. iterations: of each group
void refineMotion(const AlignmentLevel&, const AlignmentConstants&, const int32_t* iterations, size_t groups, double* motion);

double alignmentCost(const AlignmentLevel&, const AlignmentConstants&, const double* motion);

// map [height, width, channels] -> out [height / side, width / side]
void blockMeans(const float* map, int height, int width, int channels, int side, float* out);

}  // namespace depthgrad
