// Binds the kernels to typed arrays. Only src/native.ts calls these; it says the types, and lengths are checked here, because a wrong one
// would write over memory.
#include <napi.h>

#include <algorithm>
#include <string>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "kernels.h"

namespace depthgrad {
namespace {

template <typename T>
T* array(const Napi::CallbackInfo& info, size_t index, size_t length) {
  auto typed = info[index].As<Napi::TypedArrayOf<T>>();
  if (!info[index].IsTypedArray() || typed.ElementSize() != sizeof(T) || typed.ElementLength() != length) {
    Napi::RangeError::New(info.Env(), "kernel: argument " + std::to_string(index) + " must be a typed array of " + std::to_string(length) +
                                          " elements of " + std::to_string(sizeof(T)) + " bytes")
        .ThrowAsJavaScriptException();
    return nullptr;
  }
  return typed.Data();
}

float* floats(const Napi::CallbackInfo& info, size_t index, size_t length) { return array<float>(info, index, length); }

int whole(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Int32Value(); }

bool failed(const Napi::CallbackInfo& info) { return info.Env().IsExceptionPending(); }

void requireSampling(const Napi::CallbackInfo& info, int height, int width) {
  if (height < 2 || width < 2)
    Napi::RangeError::New(info.Env(), "kernel: images must be at least 2x2, for bilinear sampling").ThrowAsJavaScriptException();
}

struct Arguments {
  Workspace work;
  Camera camera;
  size_t pixels;
};

// Arguments 0..7: height, width, camera [4], then warped, warpedSlope, slopeOfLogDisparity, point, valid; 8: coefficients.
Arguments readWorkspace(const Napi::CallbackInfo& info) {
  const int height = whole(info, 0), width = whole(info, 1);
  const size_t pixels = static_cast<size_t>(height) * width;
  const float* k = floats(info, 2, 4);
  const Workspace work{height,
                       width,
                       floats(info, 3, 3 * pixels),
                       floats(info, 4, 6 * pixels),
                       floats(info, 5, 2 * pixels),
                       floats(info, 6, 3 * pixels),
                       array<uint8_t>(info, 7, pixels),
                       floats(info, 8, 9 * pixels)};
  requireSampling(info, height, width);
  return {work, failed(info) ? Camera{} : Camera{k[0], k[1], k[2], k[3]}, pixels};
}

void Warp(const Napi::CallbackInfo& info) {
  const Arguments a = readWorkspace(info);
  const float *source = floats(info, 9, 3 * a.pixels), *logDisparity = floats(info, 10, a.pixels);
  const float *rotation = floats(info, 11, 9), *translation = floats(info, 12, 3);
  if (!failed(info)) warpIntoTarget(a.work, source, logDisparity, a.camera, rotation, translation);
}

void Error(const Napi::CallbackInfo& info) {
  const int height = whole(info, 0), width = whole(info, 1);
  const size_t pixels = static_cast<size_t>(height) * width;
  const float *first = floats(info, 2, 3 * pixels), *second = floats(info, 3, 3 * pixels);
  float* out = floats(info, 4, pixels);
  if (failed(info)) return;
  if (height < 3 || width < 3)
    std::fill_n(out, pixels, 0.0f);
  else
    photometricError(first, second, height, width, out);
}

void Backward(const Napi::CallbackInfo& info) {
  const Arguments a = readWorkspace(info);
  const float *target = floats(info, 9, 3 * a.pixels), *weight = floats(info, 10, a.pixels), *translation = floats(info, 11, 3);
  float* gradLogDisparity = floats(info, 12, a.pixels);
  double* gradPose = array<double>(info, 13, 6);
  if (!failed(info)) backwardThroughWarp(a.work, target, weight, a.camera, translation, gradLogDisparity, gradPose);
}

void BackwardFromImage(const Napi::CallbackInfo& info) {
  const Arguments a = readWorkspace(info);
  const float *pull = floats(info, 9, 3 * a.pixels), *translation = floats(info, 10, 3);
  float* gradLogDisparity = floats(info, 11, a.pixels);
  double* gradPose = array<double>(info, 12, 6);
  if (!failed(info)) backwardFromImage(a.work, pull, a.camera, translation, gradLogDisparity, gradPose);
}

Napi::Value SumOfSquares(const Napi::CallbackInfo& info) {
  const auto values = info[0].As<Napi::Float32Array>();
  return Napi::Number::New(info.Env(), sumOfSquares(values.Data(), values.ElementLength()));
}

void Adam(const Napi::CallbackInfo& info) {
  const float* f = floats(info, 0, 7);
  const size_t count = info[1].As<Napi::Float32Array>().ElementLength();
  float *gradient = floats(info, 1, count), *weights = floats(info, 2, count);
  float *firstMoment = floats(info, 3, count), *secondMoment = floats(info, 4, count), *average = floats(info, 5, count);
  if (!failed(info)) adam({f[0], f[1], f[2], f[3], f[4], f[5], f[6]}, gradient, weights, firstMoment, secondMoment, average, count);
}

void MoveAverage(const Napi::CallbackInfo& info) {
  const float share = info[0].As<Napi::Number>().FloatValue();
  const size_t count = info[1].As<Napi::Float32Array>().ElementLength();
  float *weights = floats(info, 1, count), *average = floats(info, 2, count);
  if (!failed(info)) moveAverage(share, weights, average, count);
}

AlignmentConstants readConstants(const Napi::CallbackInfo& info, size_t index) {
  const double* c = array<double>(info, index, 5);
  return failed(info) ? AlignmentConstants{} : AlignmentConstants{c[0], c[1], c[2], c[3], static_cast<int>(c[4])};
}

// Arguments 0..5: height, width, camera [4], target, source, logDisparity.
AlignmentLevel readLevel(const Napi::CallbackInfo& info) {
  const int height = whole(info, 0), width = whole(info, 1);
  const size_t pixels = static_cast<size_t>(height) * width;
  const float *k = floats(info, 2, 4), *target = floats(info, 3, pixels), *source = floats(info, 4, pixels);
  const float* logDisparity = floats(info, 5, pixels);
  requireSampling(info, height, width);
  return {height, width, failed(info) ? Camera{} : Camera{k[0], k[1], k[2], k[3]}, target, source, logDisparity};
}

void SmallMotion(const Napi::CallbackInfo& info) {
  const double* vector = array<double>(info, 0, 6);
  double* motion = array<double>(info, 1, 12);
  if (!failed(info)) smallMotion(vector, motion);
}

void InvertNormalMatrix(const Napi::CallbackInfo& info) {
  const AlignmentConstants constants = readConstants(info, 0);
  const double* matrix = array<double>(info, 1, 36);
  double* inverse = array<double>(info, 2, 36);
  if (!failed(info)) invertNormalMatrix(constants, matrix, inverse);
}

void RefineMotion(const Napi::CallbackInfo& info) {
  const AlignmentLevel level = readLevel(info);
  const AlignmentConstants constants = readConstants(info, 6);
  const size_t groups = info[7].As<Napi::Int32Array>().ElementLength();
  const int32_t* iterations = array<int32_t>(info, 7, groups);
  double* motion = array<double>(info, 8, 12);
  if (!failed(info)) refineMotion(level, constants, iterations, groups, motion);
}

Napi::Value AlignmentCost(const Napi::CallbackInfo& info) {
  const AlignmentLevel level = readLevel(info);
  const AlignmentConstants constants = readConstants(info, 6);
  const double* motion = array<double>(info, 7, 12);
  return failed(info) ? info.Env().Undefined() : Napi::Number::New(info.Env(), alignmentCost(level, constants, motion));
}

void BlockMeans(const Napi::CallbackInfo& info) {
  const int height = whole(info, 0), width = whole(info, 1), channels = whole(info, 2), side = whole(info, 3);
  if (side < 1 || height % side != 0 || width % side != 0) {
    Napi::RangeError::New(info.Env(), "kernel: blocks of " + std::to_string(side) + " do not fill " + std::to_string(width) + "x" +
                                          std::to_string(height))
        .ThrowAsJavaScriptException();
    return;
  }
  const size_t pixels = static_cast<size_t>(height) * width;
  const float* map = floats(info, 4, pixels * channels);
  float* out = floats(info, 5, pixels / side / side);
  if (!failed(info)) blockMeans(map, height, width, channels, side, out);
}

// Bytes from which malloc maps memory of its own for a block and gives it back when the block is freed; how many arenas threads share.
void LimitHeap(const Napi::CallbackInfo& info) {
#ifdef __GLIBC__
  const int threshold = whole(info, 0);
  mallopt(M_MMAP_THRESHOLD, threshold);
  mallopt(M_TRIM_THRESHOLD, 2 * threshold);  // as glibc has it where it sets both itself
  mallopt(M_ARENA_MAX, whole(info, 1));
#endif
}

// Gives freed pages back, of all arenas.
void TrimHeap(const Napi::CallbackInfo&) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("warpIntoTarget", Napi::Function::New(env, Warp));
  exports.Set("photometricError", Napi::Function::New(env, Error));
  exports.Set("backwardThroughWarp", Napi::Function::New(env, Backward));
  exports.Set("backwardFromImage", Napi::Function::New(env, BackwardFromImage));
  exports.Set("sumOfSquares", Napi::Function::New(env, SumOfSquares));
  exports.Set("adam", Napi::Function::New(env, Adam));
  exports.Set("moveAverage", Napi::Function::New(env, MoveAverage));
  exports.Set("smallMotion", Napi::Function::New(env, SmallMotion));
  exports.Set("invertNormalMatrix", Napi::Function::New(env, InvertNormalMatrix));
  exports.Set("refineMotion", Napi::Function::New(env, RefineMotion));
  exports.Set("alignmentCost", Napi::Function::New(env, AlignmentCost));
  exports.Set("blockMeans", Napi::Function::New(env, BlockMeans));
  exports.Set("trimHeap", Napi::Function::New(env, TrimHeap));
  exports.Set("limitHeap", Napi::Function::New(env, LimitHeap));
  return exports;
}

}  // namespace
}  // namespace depthgrad

using depthgrad::Init;
NODE_API_MODULE(kernels, Init)
