/* The keys of a config, a row each, and what a value of each type looks like. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_internal.h"

#define FIELD(f) offsetof(um_config, f), sizeof(((um_config *)0)->f)
#define NONE     0, 0
#define RMSPROP  (1u << UM_OPT_RMSPROP)
#define SGD      (1u << UM_OPT_SGD)
#define ADAM     (1u << UM_OPT_ADAM)
#define COSINE   (256u << UM_SCHEDULE_COSINE)
#define STEP     (256u << UM_SCHEDULE_STEP)
#define EXPO     (256u << UM_SCHEDULE_EXPONENTIAL)
#define PLATEAU  (256u << UM_SCHEDULE_PLATEAU)
#define STOPPING UM_KEY_STOPPING
#define MONITORS "val_loss|val_accuracy|val_auc|loss"
#define RECIPE_HEAD                                                                                                                        \
  "[{\"flatten\": {}}, {\"dense\": {\"units\": 256, \"activation\": \"relu\"}}, {\"dense\": {\"units\": 1, \"activation\": \"sigmoid\"}}]"

/* clang-format off */
const um_key um_keys[] = {
  /* name                             type              field                                low   high    choices                          default           flags         help */
  {"seed",                            UM_KEY_SEED,      FIELD(seed),                         0, 9007199254740992.0, NULL,                  "42",             0,            "of everything that is drawn: split, order, transforms, initial weights"},
  {"data.train_dir",                  UM_KEY_TEXT,      FIELD(data.train_dir),               0, 0,          NULL,                          "null",           UM_KEY_FREE,  "folder with one folder of pictures a class (fake, real)"},
  {"data.validation_dir",             UM_KEY_TEXT,      FIELD(data.validation_dir),          0, 0,          NULL,                          "null",           UM_KEY_FREE,  "a like folder to validate on, in place of a split"},
  {"data.validation_split",           UM_KEY_NUMBER,    FIELD(data.validation_split),        0, 0.99,       NULL,                          "0.0",            0,            "share of train_dir that is held out"},
  {"data.split_by",                   UM_KEY_CHOICE,    FIELD(data.split_by),                0, 0,          "group|files|part",            "\"group\"",      0,            "hold out whole footage (manifest.csv), files as Keras does, or the dataset's own val part"},
  {"data.test_dir",                   UM_KEY_TEXT,      FIELD(data.test_dir),                0, 0,          NULL,                          "null",           UM_KEY_FREE,  "a like folder that the finished model is measured on, once"},
  {"data.duplicate_bits",             UM_KEY_INT,       FIELD(data.duplicate_bits),          0, 96,         NULL,                          "24",             UM_KEY_FREE,  "pictures of two parts are too alike where so few of 256 bits of their hashes differ; 0: not looked at"},
  {"data.dataset",                    UM_KEY_WORD,      FIELD(data.dataset),                 0, 0,          "auto|dfdc|ffpp|celebdf|deeperforensics|uadfv|folders|csv", "\"auto\"", UM_KEY_FREE, "where train_dir holds videos: the layout that says what is fake; auto looks what lies there"},
  {"data.video_cache",                UM_KEY_BYTES,     FIELD(data.video_cache_bytes),       1, 1125899906842624.0, NULL,                  "\"16G\"",        UM_KEY_FREE,  "disk space for faces where train_dir holds videos"},
  {"data.video_cache_dir",            UM_KEY_TEXT,      FIELD(data.video_cache_dir),         0, 0,          NULL,                          "null",           UM_KEY_FREE,  "where these are kept; null: ~/.cache/unmask/faces"},
  {"data.target_size",                UM_KEY_SIZE,      FIELD(data.target_size),             1, 4096,       NULL,                          "[150, 150]",     0,            "height and width that pictures are resized to"},
  {"data.interpolation",              UM_KEY_CHOICE,    FIELD(data.interpolation),           0, 0,          "nearest|bilinear",            "\"nearest\"",    0,            "how they are resized"},
  {"data.batch_size",                 UM_KEY_INT,       FIELD(data.batch_size),              1, 65536,      NULL,                          "10",             0,            "pictures a step"},
  {"data.rescale",                    UM_KEY_RESCALE,   FIELD(data.rescale),                 0, 1e6,        NULL,                          "\"1/255\"",      0,            "factor on the pixels (0 to 255)"},
  {"data.preprocessing",              UM_KEY_CHOICE,    FIELD(data.preprocessing),           0, 0,          "none|caffe",                  "\"none\"",       0,            "caffe: BGR minus the ImageNet mean, in place of rescale"},
  {"data.class_mode",                 UM_KEY_FIXED,     NONE,                                0, 0,          NULL,                          "\"binary\"",     0,            "two classes"},
  {"data.shuffle",                    UM_KEY_BOOL,      FIELD(data.shuffle),                 0, 0,          NULL,                          "true",           0,            "a new order each epoch"},
  {"data.sampling",                   UM_KEY_CHOICE,    FIELD(data.sampling),                0, 0,          "natural|balanced",            "\"natural\"",    0,            "balanced: both classes equally often in an epoch, the smaller one's pictures again"},
  {"data.workers",                    UM_KEY_AUTO,      FIELD(data.workers),                 1, 256,        NULL,                          "\"auto\"",       UM_KEY_FREE,  "threads that read pictures"},
  {"data.cache",                      UM_KEY_BYTES,     FIELD(data.cache_bytes),             0, 1125899906842624.0, NULL,                  "0",              UM_KEY_FREE,  "memory for pictures that were read, in bytes or as \"512M\""},
  {"data.max_per_class",              UM_KEY_INT,       FIELD(data.max_per_class),           0, 1e9,        NULL,                          "0",              0,            "at most so many pictures a class; 0: all"},
  {"augmentation.rotation_range",     UM_KEY_NUMBER,    FIELD(augmentation.rotation_range),  0, 180,        NULL,                          "0",              0,            "degrees to either side"},
  {"augmentation.width_shift_range",  UM_KEY_NUMBER,    FIELD(augmentation.width_shift_range),  0, 4096,    NULL,                          "0",              0,            "share of the width below 1, else pixels"},
  {"augmentation.height_shift_range", UM_KEY_NUMBER,    FIELD(augmentation.height_shift_range), 0, 4096,    NULL,                          "0",              0,            "share of the height below 1, else pixels"},
  {"augmentation.shear_range",        UM_KEY_NUMBER,    FIELD(augmentation.shear_range),     0, 89,         NULL,                          "0",              0,            "degrees to either side"},
  {"augmentation.zoom_range",         UM_KEY_ZOOM,      FIELD(augmentation.zoom_range),      0, 100,        NULL,                          "0",              0,            "z for [1-z, 1+z], or [low, high]"},
  {"augmentation.horizontal_flip",    UM_KEY_BOOL,      FIELD(augmentation.horizontal_flip), 0, 0,          NULL,                          "false",          0,            "left and right, every second time"},
  {"augmentation.vertical_flip",      UM_KEY_BOOL,      FIELD(augmentation.vertical_flip),   0, 0,          NULL,                          "false",          0,            "up and down, every second time"},
  {"augmentation.fill_mode",          UM_KEY_CHOICE,    FIELD(augmentation.fill_mode),       0, 0,          "nearest|constant|reflect|wrap", "\"nearest\"",  0,            "what lies outside of a picture"},
  {"augmentation.cval",               UM_KEY_NUMBER,    FIELD(augmentation.cval),            0, 255,        NULL,                          "0",              0,            "the value for fill_mode constant"},
  {"augmentation.semantics",          UM_KEY_CHOICE,    FIELD(augmentation.semantics),       0, 0,          "keras2|keras3",               "\"keras2\"",     0,            "which generation's transform"},
  {"augmentation.color_probability",   UM_KEY_NUMBER,    FIELD(augmentation.color_probability), 0, 1,          NULL,                          "0",              0,            "how often colours are changed, by the four ranges that follow"},
  {"augmentation.brightness_range",    UM_KEY_RANGE,     FIELD(augmentation.brightness_range), 0, 10,         NULL,                          "[0.8, 1.2]",     0,            "factor, as Pillow's ImageEnhance.Brightness"},
  {"augmentation.contrast_range",      UM_KEY_RANGE,     FIELD(augmentation.contrast_range),  0, 10,         NULL,                          "[0.8, 1.2]",     0,            "factor, as ImageEnhance.Contrast"},
  {"augmentation.saturation_range",    UM_KEY_RANGE,     FIELD(augmentation.saturation_range), 0, 10,         NULL,                          "[0.8, 1.2]",     0,            "factor, as ImageEnhance.Color"},
  {"augmentation.rgb_shift_range",     UM_KEY_NUMBER,    FIELD(augmentation.rgb_shift_range), 0, 255,        NULL,                          "10",             0,            "most that red, green and blue are each moved by"},
  {"augmentation.blur_probability",    UM_KEY_NUMBER,    FIELD(augmentation.blur_probability), 0, 1,          NULL,                          "0",              0,            "how often a Gaussian blur"},
  {"augmentation.blur_sigma",          UM_KEY_RANGE,     FIELD(augmentation.blur_sigma),      0, 20,         NULL,                          "[0.3, 2]",       0,            "its sigma, in pixels"},
  {"augmentation.downscale_probability", UM_KEY_NUMBER,    FIELD(augmentation.downscale_probability), 0, 1,          NULL,                          "0",              0,            "how often down to a smaller size and up again"},
  {"augmentation.downscale_factor",    UM_KEY_RANGE,     FIELD(augmentation.downscale_factor), 0.02, 1,          NULL,                          "[0.3, 0.9]",     0,            "the smaller size, as a share of both sides"},
  {"augmentation.downscale_interpolation", UM_KEY_CHOICE,    FIELD(augmentation.downscale_interpolation), 0, 0,          "nearest|bilinear",            "\"bilinear\"",   0,            "how, both ways"},
  {"augmentation.noise_probability",   UM_KEY_NUMBER,    FIELD(augmentation.noise_probability), 0, 1,          NULL,                          "0",              0,            "how often Gaussian noise"},
  {"augmentation.noise_sigma",         UM_KEY_RANGE,     FIELD(augmentation.noise_sigma),     0, 128,        NULL,                          "[1, 10]",        0,            "its sigma; pixels are 0 to 255"},
  {"augmentation.jpeg_probability",    UM_KEY_NUMBER,    FIELD(augmentation.jpeg_probability), 0, 1,          NULL,                          "0",              0,            "how often compressed as JPEG"},
  {"augmentation.jpeg_quality",        UM_KEY_RANGE,     FIELD(augmentation.jpeg_quality),    1, 100,        NULL,                          "[30, 95]",       0,            "its quality, a whole number drawn from these"},
  {"augmentation.cutout_probability",  UM_KEY_NUMBER,    FIELD(augmentation.cutout_probability), 0, 1,          NULL,                          "0",              0,            "how often rectangles are cut out"},
  {"augmentation.cutout_count",        UM_KEY_INT,       FIELD(augmentation.cutout_count),    1, 64,         NULL,                          "1",              0,            "how many"},
  {"augmentation.cutout_size",         UM_KEY_RANGE,     FIELD(augmentation.cutout_size),     0, 1,          NULL,                          "[0.1, 0.3]",     0,            "their sides, as shares of the picture's"},
  {"augmentation.cutout_value",        UM_KEY_NUMBER,    FIELD(augmentation.cutout_value),    0, 255,        NULL,                          "128",            0,            "what they are filled with"},
  {"augmentation.self_blend",          UM_KEY_NUMBER,    FIELD(augmentation.self_blend),      0, 1,          NULL,                          "0",              0,            "share of the real pictures that get a fake made of themselves, anew each epoch"},
  {"model.backbone",                  UM_KEY_WORD,      FIELD(backbone),                     0, 0,          "vgg16|tiny|dct",              "\"vgg16\"",      0,            "the convolutional part; dct: small, for random weights; tiny: four layers for quick trials"},
  {"model.weights",                   UM_KEY_TEXT,      FIELD(weights),                      0, 0,          NULL,                          "\"imagenet\"",   0,            "\"imagenet\", a weights file, or null for random ones"},
  {"model.include_top",               UM_KEY_FIXED,     NONE,                                0, 0,          NULL,                          "false",          0,            "the head is the config's own"},
  {"model.trainable",                 UM_KEY_TRAINABLE, FIELD(trainable),                    0, 0,          NULL,                          "\"all\"",        0,            "\"all\", \"head\", or the first layer to train"},
  {"model.convolution",               UM_KEY_CHOICE,    FIELD(algorithm),                    0, 0,          "auto|direct|winograd",        "\"auto\"",       0,            "algorithm of the convolutions"},
  {"model.head",                      UM_KEY_HEAD,      FIELD(head),                         0, 0,          NULL,                          RECIPE_HEAD,      0,            "layers after the backbone: flatten, global_average_pooling2d, dense, dropout (of rate)"},
  {"loss",                            UM_KEY_FIXED,     NONE,                                0, 0,          NULL,                          "\"binary_crossentropy\"", 0,   "from logits, batch mean"},
  {"metrics",                         UM_KEY_FIXED,     NONE,                                0, 0,          NULL,                          "[\"accuracy\"]", 0,            "what history.csv holds beside the loss"},
  {"optimizer.name",                  UM_KEY_CHOICE,    FIELD(optimizer.kind),               0, 0,          "rmsprop|sgd|adam",            "\"rmsprop\"",    0,            "as in Keras"},
  {"optimizer.learning_rate",         UM_KEY_NUMBER,    FIELD(optimizer.learning_rate),      0, 100,        NULL,                          "2e-5",           0,            "step size"},
  {"optimizer.rho",                   UM_KEY_NUMBER,    FIELD(optimizer.rho),                0, 1,          NULL,                          "0.9",            RMSPROP,      "decay of the mean square"},
  {"optimizer.momentum",              UM_KEY_NUMBER,    FIELD(optimizer.momentum),           0, 1,          NULL,                          "0",              RMSPROP | SGD, "share of the last step"},
  {"optimizer.nesterov",              UM_KEY_BOOL,      FIELD(optimizer.nesterov),           0, 0,          NULL,                          "false",          SGD,          "look ahead"},
  {"optimizer.beta_1",                UM_KEY_NUMBER,    FIELD(optimizer.beta1),              0, 0.999999,   NULL,                          "0.9",            ADAM,         "decay of the mean"},
  {"optimizer.beta_2",                UM_KEY_NUMBER,    FIELD(optimizer.beta2),              0, 0.999999,   NULL,                          "0.999",          ADAM,         "decay of the mean square"},
  {"optimizer.epsilon",               UM_KEY_NUMBER,    FIELD(optimizer.epsilon),            0, 1,          NULL,                          "1e-7",           RMSPROP | ADAM, "keeps the divisor from 0"},
  {"optimizer.semantics",             UM_KEY_CHOICE,    FIELD(optimizer.epsilon_inside),     0, 0,          "keras2|keras3",               "\"keras2\"",     RMSPROP,      "sqrt(v) + epsilon, or sqrt(v + epsilon)"},
  {"optimizer.weight_decay",          UM_KEY_NUMBER,    FIELD(optimizer.weight_decay),       0, 1,          NULL,                          "0",              0,            "share of the kernels taken off each step, times the learning rate"},
  {"class_weight",                    UM_KEY_WEIGHTS,   FIELD(class_weight),                 0, 1e6,        NULL,                          "null",           0,            "how much each class counts in the training loss; \"balanced\": n / (2 * pictures of the class)"},
  {"learning_rate_schedule.name",     UM_KEY_CHOICE,    FIELD(schedule.kind),                0, 0,          "constant|cosine|step|exponential|plateau", "\"constant\"", 0,   "how the learning rate changes from step to step, or (plateau) when an epoch is no better"},
  {"learning_rate_schedule.warmup_steps",  UM_KEY_INT,  FIELD(schedule.warmup_steps),        0, 1e9,        NULL,                          "0",              0,            "any schedule: steps of linear warm-up, before what follows begins"},
  {"learning_rate_schedule.warmup_epochs", UM_KEY_NUMBER, FIELD(schedule.warmup_epochs),     0, 1e6,        NULL,                          "0",              0,            "the same in epochs"},
  {"learning_rate_schedule.warmup_from",   UM_KEY_NUMBER, FIELD(schedule.warmup_from),       0, 1,          NULL,                          "0",              0,            "where it begins, as a share of the learning rate"},
  {"learning_rate_schedule.decay_steps",   UM_KEY_INT,  FIELD(schedule.decay_steps),         0, 1e9,        NULL,                          "0",              COSINE | EXPO, "length of the decay; 0: decay_epochs"},
  {"learning_rate_schedule.decay_epochs",  UM_KEY_NUMBER, FIELD(schedule.decay_epochs),      0, 1e6,        NULL,                          "0",              COSINE | EXPO, "the same in epochs; 0: cosine to the end, exponential one epoch"},
  {"learning_rate_schedule.alpha",    UM_KEY_NUMBER,    FIELD(schedule.alpha),               0, 1,          NULL,                          "0",              COSINE,       "the last rate, as a share of the first"},
  {"learning_rate_schedule.decay_rate", UM_KEY_NUMBER,  FIELD(schedule.decay_rate),          0, 1,          NULL,                          "0.96",           EXPO,         "the rate is multiplied by it over each length of the decay"},
  {"learning_rate_schedule.staircase", UM_KEY_BOOL,     FIELD(schedule.staircase),           0, 0,          NULL,                          "false",          EXPO,         "at once at the end of each length"},
  {"learning_rate_schedule.every_epochs", UM_KEY_INT,   FIELD(schedule.every_epochs),        0, 1e6,        NULL,                          "0",              STEP,         "multiply by factor every so many epochs; 0: boundaries"},
  {"learning_rate_schedule.boundaries", UM_KEY_LIST,    FIELD(schedule.boundaries),          0, 1e12,       NULL,                          "null",           STEP | UM_KEY_RISING, "the last step (from 0) of each of the values but the last"},
  {"learning_rate_schedule.values",   UM_KEY_LIST,      FIELD(schedule.values),              0, 100,        NULL,                          "null",           STEP,         "with boundaries: the rates, in place of the learning rate"},
  {"learning_rate_schedule.factor",   UM_KEY_NUMBER,    FIELD(schedule.factor),              0, 0.999999,   NULL,                          "0.1",            STEP | PLATEAU, "multiplies the rate"},
  {"learning_rate_schedule.monitor",  UM_KEY_CHOICE,    FIELD(schedule.monitor),             0, 0,          MONITORS,                      "\"val_loss\"",   PLATEAU,      "what has to get better"},
  {"learning_rate_schedule.patience", UM_KEY_INT,       FIELD(schedule.patience),            0, 1e6,        NULL,                          "10",             PLATEAU,      "epochs without it that are waited"},
  {"learning_rate_schedule.min_delta", UM_KEY_NUMBER,   FIELD(schedule.min_delta),           0, 1e6,        NULL,                          "1e-4",           PLATEAU,      "less than this is no better"},
  {"learning_rate_schedule.cooldown", UM_KEY_INT,       FIELD(schedule.cooldown),            0, 1e6,        NULL,                          "0",              PLATEAU,      "epochs after a change that do not count"},
  {"learning_rate_schedule.min_lr",   UM_KEY_NUMBER,    FIELD(schedule.min_lr),              0, 100,        NULL,                          "0",              PLATEAU,      "the rate goes no lower"},
  {"early_stopping.monitor",          UM_KEY_CHOICE,    FIELD(early_stopping.monitor),       0, 0,          MONITORS,                      "\"val_loss\"",   STOPPING,     "ends the training when this gets no better; \"early_stopping\": null (the default) never does"},
  {"early_stopping.patience",         UM_KEY_INT,       FIELD(early_stopping.patience),      0, 1e6,        NULL,                          "3",              STOPPING | UM_KEY_FREE, "epochs without it that are waited"},
  {"early_stopping.min_delta",        UM_KEY_NUMBER,    FIELD(early_stopping.min_delta),     0, 1e6,        NULL,                          "0",              STOPPING | UM_KEY_FREE, "less than this is no better"},
  {"phases",                          UM_KEY_PHASES,    NONE,                                0, 0,          NULL,                          "null",           0,            "one after the other, each with its own trainable, learning_rate and learning_rate_schedule (else those of the config)"},
  {"precision",                       UM_KEY_CHOICE,    FIELD(precision),                    0, 0,          "fp32|tf32|bf16",              "\"fp32\"",       0,            "of the arithmetic; tf32 and bf16 need a GPU"},
  {"engine",                          UM_KEY_CHOICE,    FIELD(engine),                       0, 0,          "auto|native|cudnn",           "\"auto\"",       0,            "on a GPU: the fastest for each layer (measured once), our own kernels, or cuDNN"},
  {"workspace_limit",                 UM_KEY_BYTES,     FIELD(workspace_limit),              0, 1099511627776.0, NULL,                     "\"512M\"",       0,            "on a GPU: most memory that one layer may take to be faster"},
  {"faces.detector",                  UM_KEY_WORD,      FIELD(faces.detector),               0, 0,          "auto|haar|haar-strict|mtcnn",   "\"auto\"",  UM_KEY_FREE,  "how infer finds faces in videos; auto: all of this as extract did (its extract.json), else the recipe's haar"},
  {"faces.faces",                     UM_KEY_CHOICE,    FIELD(faces.choice),                 0, 0,          "largest|all|main",            "\"largest\"",    UM_KEY_FREE,  "the largest of each frame, all, or those of the person longest in view"},
  {"faces.min_face",                  UM_KEY_INT,       FIELD(faces.min_face),               0, 10000,      NULL,                          "0",              UM_KEY_FREE,  "least side of a face in pixels; 0: the detector's own"},
  {"faces.crop",                      UM_KEY_CHOICE,    FIELD(faces.crop),                   0, 0,          "recipe|square|tight",         "\"recipe\"",     UM_KEY_FREE,  "the recipe's square around the face, a square of its longer side, or its box"},
  {"faces.margin",                    UM_KEY_NUMBER,    FIELD(faces.margin),                 -0.9, 4,       NULL,                          "0",              UM_KEY_FREE,  "widens the crop by this share"},
  {"faces.align",                     UM_KEY_BOOL,      FIELD(faces.align),                  0, 0,          NULL,                          "false",          UM_KEY_FREE,  "turn faces so that the eyes are level"},
  {"faces.fps",                       UM_KEY_FPS,       FIELD(faces.fps),                    0.001, 1000,   NULL,                          "2",              UM_KEY_FREE,  "frames a second that infer looks at, or \"all\""},
  {"faces.max_size",                  UM_KEY_INT,       FIELD(faces.max_size),               0, 16384,      NULL,                          "1000",           UM_KEY_FREE,  "frames are scaled to fit this square before; 0: as they are"},

  {"scoring.frames",                  UM_KEY_CHOICE,    FIELD(scoring.frames),               0, 0,          "mean|mean_logit|median|top_k|confident", "\"mean\"", UM_KEY_FREE, "how a video's score comes from its frames' (docs/evaluation.md)"},
  {"scoring.top_k",                   UM_KEY_INT,       FIELD(scoring.top_k),                1, 1000000,    NULL,                          "10",             UM_KEY_FREE,  "top_k: of how many of the highest the mean is taken"},
  {"scoring.people",                  UM_KEY_CHOICE,    FIELD(scoring.together),             0, 0,          "highest|together",            "\"highest\"",    UM_KEY_FREE,  "of several people the highest score, or all faces as if of one (counts where faces.faces is all)"},
  {"evaluation.resamples",            UM_KEY_INT,       FIELD(evaluation.resamples),         0, 100000,     NULL,                          "1000",           UM_KEY_FREE,  "bootstrap resamples for the intervals of the validation part's numbers; 0: none (docs/evaluation.md)"},
  {"evaluation.by",                   UM_KEY_TEXT,      FIELD(evaluation.by),                0, 0,          NULL,                          "null",           UM_KEY_FREE,  "also judge each value of this column of manifest.csv by itself, or each \"folder\""},
  {"calibration.method",              UM_KEY_CHOICE,    FIELD(calibration.method),           0, 0,          "none|temperature|platt",      "\"temperature\"", UM_KEY_FREE,  "what makes probabilities of scores, fitted on the validation part (docs/calibration.md)"},
  {"calibration.false_alarms",        UM_KEY_NUMBER,    FIELD(calibration.false_alarms),     0, 0.5,        NULL,                          "0.05",           UM_KEY_FREE,  "at most this share of real videos is called fake; 0: no threshold of its own"},
  {"calibration.misses",              UM_KEY_NUMBER,    FIELD(calibration.misses),           0, 0.5,        NULL,                          "0.05",           UM_KEY_FREE,  "at most this share of fake videos is called real; 0: no threshold of its own"},
  {"epochs",                          UM_KEY_INT,       FIELD(epochs),                       1, 1e6,        NULL,                          "10",             UM_KEY_FREE,  "times through the training pictures"},
  {"tensorboard",                     UM_KEY_BOOL,      FIELD(tensorboard),                  0, 0,          NULL,                          "true",           UM_KEY_FREE,  "write the curves for TensorBoard, too (OUT/tensorboard)"},
  {"checkpoint_minutes",              UM_KEY_NUMBER,    FIELD(checkpoint_minutes),           0, 100000,     NULL,                          "10",             UM_KEY_FREE,  "save inside an epoch too, every so many minutes; 0: never"},
};
/* clang-format on */
const int um_keys_count = sizeof um_keys / sizeof *um_keys;

const um_key *um_key_find(const char *name) {
  for (int i = 0; i < um_keys_count; i++)
    if (strcmp(um_keys[i].name, name) == 0) return &um_keys[i];
  return NULL;
}

bool um_key_applies(const um_key *k, const um_config *c) {
  const unsigned optimizers = k->flags & UM_KEY_OPTIMIZERS, schedules = k->flags & UM_KEY_SCHEDULES;
  if (optimizers && !(optimizers & 1u << c->optimizer.kind)) return false;
  if (schedules && !(schedules & 256u << c->schedule.kind)) return false;
  return !(k->flags & UM_KEY_STOPPING) || c->early_stopping.on;
}

/* The i-th of "a|b|c" into text; false past the end. */
static bool choice_at(const char *choices, int i, char *text, size_t size) {
  for (; i > 0; i--) {
    choices = strchr(choices, '|');
    if (!choices) return false;
    choices++;
  }
  snprintf(text, size, "%.*s", (int)strcspn(choices, "|"), choices);
  return true;
}

const char *um_key_expected(const um_key *k, char *text, size_t size) {
  char word[64];
  size_t at = 0;
  switch (k->type) {
  case UM_KEY_BOOL: snprintf(text, size, "true or false"); break;
  case UM_KEY_INT:
  case UM_KEY_SEED: snprintf(text, size, "a whole number from %.0f to %.0f", k->low, k->high); break;
  case UM_KEY_NUMBER: snprintf(text, size, "a number from %g to %g", k->low, k->high); break;
  case UM_KEY_TEXT: snprintf(text, size, "text of at most %zu bytes, or null", k->size - 1); break;
  case UM_KEY_CHOICE:
  case UM_KEY_WORD:
    text[0] = 0;
    for (int i = 0; at < size && choice_at(k->choices, i, word, sizeof word); i++)
      at += (size_t)snprintf(text + at, size - at, "%s\"%s\"", i ? " or " : "", word);
    break;
  case UM_KEY_FIXED: snprintf(text, size, "%s", k->fallback); break;
  case UM_KEY_SIZE: snprintf(text, size, "[height, width], each a whole number from %g to %g", k->low, k->high); break;
  case UM_KEY_RESCALE: snprintf(text, size, "a number above 0 and up to %g, or a quotient such as \"1/255\"", k->high); break;
  case UM_KEY_ZOOM: snprintf(text, size, "a number from 0 to below 1, or [low, high] with 0 < low <= high <= %g", k->high); break;
  case UM_KEY_RANGE: snprintf(text, size, "[low, high] with %g <= low <= high <= %g, or one such number", k->low, k->high); break;
  case UM_KEY_AUTO: snprintf(text, size, "\"auto\" or a whole number from %g to %g", k->low, k->high); break;
  case UM_KEY_BYTES: snprintf(text, size, "a number of bytes, or text such as \"512M\" or \"2G\""); break;
  case UM_KEY_FPS: snprintf(text, size, "\"all\" or a number from %g to %g", k->low, k->high); break;
  case UM_KEY_TRAINABLE: snprintf(text, size, "\"all\", \"head\" or the name of a layer"); break;
  case UM_KEY_LIST:
    snprintf(text, size, "a list of at most %d %snumbers from %g to %g", UM_LIST_MAX, k->flags & UM_KEY_RISING ? "growing whole " : "",
             k->low, k->high);
    break;
  case UM_KEY_WEIGHTS: snprintf(text, size, "null, \"balanced\", or a weight each such as {\"fake\": 1, \"real\": 5}"); break;
  case UM_KEY_PHASES:
    snprintf(text, size, "null, or up to %d such as [{\"epochs\": 2, \"trainable\": \"head\"}, {\"trainable\": \"all\"}]", UM_PHASES_MAX);
    break;
  case UM_KEY_HEAD: snprintf(text, size, "a list of layers such as {\"dense\": {\"units\": 1, \"activation\": \"sigmoid\"}}"); break;
  }
  return text;
}

const char *um_json_brief(const cJSON *value, char *text, size_t size) {
  char *full = value ? cJSON_PrintUnformatted(value) : NULL;
  snprintf(text, size, "%s", full ? full : "nothing");
  if (full && strlen(full) >= size && size > 4) memcpy(text + size - 4, "...", 4);
  free(full);
  return text;
}

static bool in_range(const um_key *k, const cJSON *v) { return cJSON_IsNumber(v) && v->valuedouble >= k->low && v->valuedouble <= k->high; }

static bool whole_in_range(const um_key *k, const cJSON *v) { return in_range(k, v) && floor(v->valuedouble) == v->valuedouble; }

static bool read_text(void *field, size_t size, const cJSON *v) {
  const char *text = cJSON_IsNull(v) ? "" : cJSON_GetStringValue(v);
  if (!text || strlen(text) >= size) return false;
  snprintf(field, size, "%s", text);
  return true;
}

static bool read_choice(void *field, const um_key *k, const cJSON *v) {
  char word[64];
  for (int i = 0; cJSON_IsString(v) && choice_at(k->choices, i, word, sizeof word); i++) {
    if (strcmp(word, v->valuestring) != 0) continue;
    if (k->type == UM_KEY_WORD)
      snprintf(field, k->size, "%s", word);
    else if (k->size == sizeof(bool))
      *(bool *)field = i != 0;
    else
      *(int *)field = i; /* an enum of ours, counted from 0 in the order of the choices */
    return true;
  }
  return false;
}

static bool read_rescale(double *field, const um_key *k, const cJSON *v) {
  double value = cJSON_IsNumber(v) ? v->valuedouble : 0;
  if (cJSON_IsString(v)) {
    char *end;
    value = strtod(v->valuestring, &end);
    if (end == v->valuestring) return false;
    if (*end == '/') {
      const char *below = end + 1;
      value /= strtod(below, &end);
      if (end == below) return false;
    }
    if (*end) return false;
  }
  *field = value;
  return value > 0 && value <= k->high;
}

static bool read_zoom(double *field, const um_key *k, const cJSON *v) {
  if (cJSON_IsNumber(v)) {
    field[0] = 1 - v->valuedouble;
    field[1] = 1 + v->valuedouble;
    return v->valuedouble >= 0 && v->valuedouble < 1;
  }
  if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) != 2 || !cJSON_IsNumber(v->child) || !cJSON_IsNumber(v->child->next)) return false;
  field[0] = v->child->valuedouble;
  field[1] = v->child->next->valuedouble;
  return field[0] > 0 && field[0] <= field[1] && field[1] <= k->high;
}

static bool read_range(double *field, const um_key *k, const cJSON *v) {
  const cJSON *low = v, *high = v;
  if (cJSON_IsArray(v)) {
    if (cJSON_GetArraySize(v) != 2) return false;
    low = v->child, high = low->next;
  }
  if (!in_range(k, low) || !in_range(k, high) || low->valuedouble > high->valuedouble) return false;
  field[0] = low->valuedouble;
  field[1] = high->valuedouble;
  return true;
}

static bool read_bytes(int64_t *field, const um_key *k, const cJSON *v) {
  double value = cJSON_IsNumber(v) ? v->valuedouble : -1;
  if (cJSON_IsString(v)) {
    char *end;
    static const char units[] = "KMGT";
    value = strtod(v->valuestring, &end);
    if (end == v->valuestring) return false;
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (unit) {
      value *= ldexp(1, (int)(10 * (unit - units + 1)));
      end++;
    }
    if (*end) return false;
  }
  if (!(value >= k->low && value <= k->high)) return false;
  *field = (int64_t)value;
  return true;
}

static bool read_size(int *field, const um_key *k, const cJSON *v) {
  if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) != 2) return false;
  if (!whole_in_range(k, v->child) || !whole_in_range(k, v->child->next)) return false;
  field[0] = (int)v->child->valuedouble;
  field[1] = (int)v->child->next->valuedouble;
  return true;
}

static bool read_list(um_list *field, const um_key *k, const cJSON *v) {
  const bool rising = k->flags & UM_KEY_RISING;
  um_list list = {0};
  if (!cJSON_IsArray(v) && !cJSON_IsNull(v)) return false;
  for (const cJSON *item = v->child; item; item = item->next) {
    if (list.count == UM_LIST_MAX || !(rising ? whole_in_range(k, item) : in_range(k, item))) return false;
    if (rising && item->valuedouble <= (list.count > 0 ? list.value[list.count - 1] : 0)) return false;
    list.value[list.count++] = item->valuedouble;
  }
  *field = list;
  return true;
}

int um_key_read(um_config *c, const um_key *k, const cJSON *value, const char *where, um_error *err) {
  void *field = (char *)c + k->offset;
  bool ok = false;
  char expected[256], got[96];

  switch (k->type) {
  case UM_KEY_BOOL:
    ok = cJSON_IsBool(value);
    if (ok) *(bool *)field = cJSON_IsTrue(value);
    break;
  case UM_KEY_INT:
    ok = whole_in_range(k, value);
    if (ok) *(int *)field = (int)value->valuedouble;
    break;
  case UM_KEY_SEED:
    ok = whole_in_range(k, value);
    if (ok) *(uint64_t *)field = (uint64_t)value->valuedouble;
    break;
  case UM_KEY_NUMBER:
    ok = in_range(k, value);
    if (ok) *(double *)field = value->valuedouble;
    break;
  case UM_KEY_TEXT: ok = read_text(field, k->size, value); break;
  case UM_KEY_TRAINABLE: ok = cJSON_IsString(value) && value->valuestring[0] && read_text(field, k->size, value); break;
  case UM_KEY_CHOICE:
  case UM_KEY_WORD: ok = read_choice(field, k, value); break;
  case UM_KEY_FIXED: {
    cJSON *only = cJSON_Parse(k->fallback);
    ok = only && cJSON_Compare(only, value, 1);
    cJSON_Delete(only);
    break;
  }
  case UM_KEY_SIZE: ok = read_size(field, k, value); break;
  case UM_KEY_RESCALE: ok = read_rescale(field, k, value); break;
  case UM_KEY_ZOOM: ok = read_zoom(field, k, value); break;
  case UM_KEY_RANGE: ok = read_range(field, k, value); break;
  case UM_KEY_AUTO:
    ok = whole_in_range(k, value) || (cJSON_IsString(value) && strcmp(value->valuestring, "auto") == 0);
    if (ok) *(int *)field = cJSON_IsString(value) ? 0 : (int)value->valuedouble;
    break;
  case UM_KEY_BYTES: ok = read_bytes(field, k, value); break;
  case UM_KEY_FPS:
    ok = in_range(k, value) || (cJSON_IsString(value) && strcmp(value->valuestring, "all") == 0);
    if (ok) *(double *)field = cJSON_IsString(value) ? 0 : value->valuedouble;
    break;
  case UM_KEY_LIST: ok = read_list(field, k, value); break;
  case UM_KEY_WEIGHTS: ok = um_class_weight_read(field, value); break;
  case UM_KEY_PHASES:
    ok = cJSON_IsNull(value) || (cJSON_IsArray(value) && cJSON_GetArraySize(value) <= UM_PHASES_MAX && value->child);
    break;
  case UM_KEY_HEAD: {
    um_head_layer layers[UM_HEAD_MAX];
    int count, status;
    if (!cJSON_IsArray(value)) break;
    if ((status = um_head_read(layers, &count, value, where, err))) return status;
    char *text = cJSON_PrintUnformatted(value);
    if (!text) return um_fail(err, UM_ENOMEM, "%s: no memory", where);
    free(*(char **)field);
    *(char **)field = text;
    ok = true;
    break;
  }
  }
  if (ok) return UM_OK;
  return um_fail(err, UM_ECONFIG, "%s: expected %s, got %s", where, um_key_expected(k, expected, sizeof expected),
                 um_json_brief(value, got, sizeof got));
}

cJSON *um_key_write(const um_config *c, const um_key *k) {
  const void *field = (const char *)c + k->offset;
  char word[64];
  switch (k->type) {
  case UM_KEY_BOOL: return cJSON_CreateBool(*(const bool *)field);
  case UM_KEY_INT: return cJSON_CreateNumber(*(const int *)field);
  case UM_KEY_SEED: return cJSON_CreateNumber((double)*(const uint64_t *)field);
  case UM_KEY_NUMBER: return cJSON_CreateNumber(*(const double *)field);
  case UM_KEY_TEXT: return *(const char *)field ? cJSON_CreateString(field) : cJSON_CreateNull();
  case UM_KEY_TRAINABLE:
  case UM_KEY_WORD: return cJSON_CreateString(field);
  case UM_KEY_CHOICE:
    choice_at(k->choices, k->size == sizeof(bool) ? *(const bool *)field : *(const int *)field, word, sizeof word);
    return cJSON_CreateString(word);
  case UM_KEY_FIXED: return cJSON_Parse(k->fallback);
  case UM_KEY_SIZE: return cJSON_CreateIntArray(field, 2);
  case UM_KEY_RESCALE:
    return *(const double *)field == 1.0 / 255 ? cJSON_CreateString("1/255") : cJSON_CreateNumber(*(const double *)field);
  case UM_KEY_ZOOM:
  case UM_KEY_RANGE: return cJSON_CreateDoubleArray(field, 2);
  case UM_KEY_AUTO: return *(const int *)field == 0 ? cJSON_CreateString("auto") : cJSON_CreateNumber(*(const int *)field);
  case UM_KEY_BYTES: return cJSON_CreateNumber((double)*(const int64_t *)field);
  case UM_KEY_FPS: return *(const double *)field == 0 ? cJSON_CreateString("all") : cJSON_CreateNumber(*(const double *)field);
  case UM_KEY_LIST: return cJSON_CreateDoubleArray(((const um_list *)field)->value, ((const um_list *)field)->count);
  case UM_KEY_WEIGHTS: return um_class_weight_write(field);
  case UM_KEY_PHASES: return um_phases_write(c);
  case UM_KEY_HEAD: return *(char *const *)field ? cJSON_Parse(*(char *const *)field) : cJSON_CreateNull();
  }
  return NULL;
}
