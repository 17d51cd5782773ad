{
  "targets": [
    {
      "target_name": "kernels",
      "sources": ["addon.cc", "photometric.cc", "adam.cc", "alignment.cc", "parallel.cc"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS"],
      # For the machine it is compiled on, with results that do not depend on it (no fused multiply-add). NaN and infinity keep their meaning: the step's guard against a broken loss depends on them.
      "cflags_cc": ["-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-ffp-contract=off"],
      # Its threads outlive the worker thread of Node that may have loaded it.
      "ldflags": ["-Wl,-z,nodelete"]
    }
  ]
}
