/* What reader and writer of .npz have in common. Internal to weights/. */
#ifndef UM_WEIGHTS_NPZ_H
#define UM_WEIGHTS_NPZ_H

/* An entry of the zip beside the arrays: the metadata as a JSON object of texts; numpy.load gives it as bytes. */
#define UM_NPZ_METADATA "unmask.json"

#endif
