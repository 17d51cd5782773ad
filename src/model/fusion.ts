/**
 * The mutual conversion as one map: screened-Poisson fusion of the depth head's log-disparity u0 and the gradient head's G,
 *
 *   u = argmin  lambda ||u - u0||^2 + ||grad u - G||^2     (forward differences, Neumann boundary)
 *
 * solved exactly: the DCT-II diagonalises grad^T grad, so the solution is four matrix products and one division, differentiable in
 * u0 and G as it stands and exported to ONNX as MatMul.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { dctMatrix, neumannEigenvalues } from '../geometry/poisson';
import { adjointDifferences } from './differences';

interface Basis {
  /** Orthonormal DCT-II matrices [h,h] and [w,w]. */
  rows: tf.Tensor2D;
  columns: tf.Tensor2D;
  /** 1 / (lambda + eigenvalue), [h,w]. */
  inverse: tf.Tensor2D;
}

const bases = new Map<string, Basis>();

/** 1 / (lambda + eigenvalues of grad^T grad), [h,w], row-major; the exporter writes the same numbers. */
export function inverseSpectrum(height: number, width: number, lambda: number): Float32Array {
  const ofRows = neumannEigenvalues(height);
  const ofColumns = neumannEigenvalues(width);
  return Float32Array.from(
    { length: height * width },
    (_, i) => 1 / (lambda + ofRows[Math.floor(i / width)] + ofColumns[i % width]),
  );
}

function basisFor(height: number, width: number, lambda: number): Basis {
  const key = `${height}x${width}:${lambda}`;
  let basis = bases.get(key);
  if (!basis) {
    basis = {
      rows: tf.keep(tf.tensor2d(Float32Array.from(dctMatrix(height)), [height, height])),
      columns: tf.keep(tf.tensor2d(Float32Array.from(dctMatrix(width)), [width, width])),
      inverse: tf.keep(tf.tensor2d(inverseSpectrum(height, width, lambda), [height, width])),
    };
    bases.set(key, basis);
  }
  return basis;
}

/** x [b,h,w] times m^T along the last axis. */
function alongLast(x: tf.Tensor3D, m: tf.Tensor2D, transpose: boolean): tf.Tensor3D {
  const [b, h, w] = x.shape;
  return tf.reshape(tf.matMul(tf.reshape(x, [b * h, w]), m, false, transpose), [b, h, w]) as tf.Tensor3D;
}

/**
 * @param logDisparity u0 [b,h,w,1]  @param gradient G = (du, dv) [b,h,w,2]  @param lambda weight of u0, per pixel squared
 * @returns fused log-disparity [b,h,w,1]
 */
export function fuse(logDisparity: tf.Tensor4D, gradient: tf.Tensor4D, lambda: number): tf.Tensor4D {
  const [b, h, w] = logDisparity.shape;
  const { rows, columns, inverse } = basisFor(h, w, lambda);
  const swap = (x: tf.Tensor3D): tf.Tensor3D => tf.transpose(x, [0, 2, 1]) as tf.Tensor3D;
  const right = tf.reshape(tf.add(tf.mul(logDisparity, lambda), adjointDifferences(gradient)), [
    b,
    h,
    w,
  ]) as tf.Tensor3D;
  const spectrum = swap(alongLast(swap(alongLast(right, columns, true)), rows, true));
  const solved = tf.mul(spectrum, inverse) as tf.Tensor3D;
  const back = alongLast(swap(alongLast(swap(solved), rows, false)), columns, false);
  return tf.reshape(back, [b, h, w, 1]) as tf.Tensor4D;
}
