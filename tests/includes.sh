#!/bin/sh
# The house (DESIGN): core includes nobody; data and weights include core; cuda includes core; faces includes data, weights and core;
# plot includes core alone; nothing below includes train, infer or tools; no FFmpeg, HDF5 or CUDA header in core, no CUDA header in data. Prints each include that points the wrong way.
bad=0
forbid() { # folder, pattern
  if grep -rnE "$2" "$1" --include='*.c' --include='*.h' --include='*.cu' --include='*.cuh' 2>/dev/null; then bad=1; fi
}
forbid core '#include "(data|faces|plot|weights|train|infer|tools|cuda)/'
forbid core '#include <(lib(av|sw)|hdf5|H5|cuda|cublas|cudnn)'
forbid data '#include ("(faces|plot|weights|train|infer|tools|cuda)/|<(cuda|cublas|cudnn))'
forbid weights '#include ("(data|faces|plot|train|infer|tools|cuda)/|<(lib(av|sw)|cuda|cublas|cudnn))'
forbid faces '#include ("(plot|train|infer|tools|cuda)/|<(libav|libsw|cuda|cublas|cudnn))'
forbid plot '#include ("(data|faces|weights|train|infer|tools|cuda)/|<(lib(av|sw)|hdf5|H5|cuda|cublas|cudnn))'
[ -d cuda ] && forbid cuda '#include "(data|faces|plot|weights|train|infer|tools)/'
[ "$bad" -eq 0 ]
