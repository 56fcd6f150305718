/* What a score can say, and all that is needed to get it again. */
#include <stdlib.h>
#include <string.h>

#include "infer/page.h"

void page_limits(const page *p) {
  html(p->f,
       "<section class=\"card\" aria-labelledby=\"limits\">\n<h2 id=\"limits\">What a score can and cannot say</h2>\n<ul class=\"notes\">\n"
       "<li>A score is what one model makes of the faces that it was shown. It knows the kinds of fakes that it was trained on. With other "
       "generators, strong compression, and small, dark or turned faces it is wrong more often, sometimes as often as chance.</li>\n"
       "<li>A high score is a reason to look closer and not a proof. A low one does not show that a video is genuine: only faces were "
       "judged, not the voice, the scene or where the file comes from.</li>\n"
       "<li>How often verdicts are right on material like yours can only be found out with such material whose truth is known "
       "(infer --labels).</li>\n"
       "<li>A heat map shows where the network looked. It does not show that something was changed there.</li>\n"
       "<li>Before anything depends on it: find the source and the original footage, ask another method, and ask a person who knows "
       "such fakes.</li>\n</ul>\n</section>\n");
}

static void row(FILE *f, const char *name, const char *value) { html(f, "<dt>%s</dt><dd>%s</dd>\n", name, value); }

static void model_facts(const page *p) {
  FILE *f = p->f;
  const um_preprocess *m = &p->s->preprocess;
  html(f, "<h3>Model</h3>\n<dl>\n<dt>File</dt><dd class=\"path\">%s</dd>\n<dt>SHA-256</dt><dd class=\"hash\">%s</dd>\n<dt>Size</dt><dd>",
       p->o->model, p->s->sha256);
  page_bytes(f, p->s->bytes);
  html(f, "</dd>\n");
  if (*p->s->fingerprint) html(f, "<dt>Fingerprint of its contents</dt><dd class=\"hash\">%s</dd>\n", p->s->fingerprint);
  html(f, "<dt>Classes</dt><dd>%s, %s</dd>\n<dt>Faces as it sees them</dt><dd>%d &#215; %d pixels, %s; rescale %.9g", m->classes[0],
       m->classes[1], m->target_size[1], m->target_size[0], m->interpolation == UM_NEAREST ? "nearest" : "bilinear", m->rescale);
  html(f, "</dd>\n<dt>Computed in</dt><dd>%s, %d faces at a time</dd>\n</dl>\n", um_precision_name(p->o->precision), p->e->batch);
}

static void face_facts(const page *p) {
  FILE *f = p->f;
  const um_face_settings *s = &p->s->preprocess.faces;
  html(f, "<h3>How faces are found and cut</h3>\n<dl>\n");
  if (p->o->faces_are_cut) {
    row(f, "Faces", "The inputs are pictures of faces already; nothing was detected");
  } else {
    row(f, "Detector", s->detector);
    if (s->fps > 0)
      html(f, "<dt>Frames a second</dt><dd>%g</dd>\n", s->fps);
    else
      row(f, "Frames a second", "all");
    row(f, "Which faces", um_face_choice_name(s->choice));
    if (s->max_size) html(f, "<dt>Frames scaled to fit</dt><dd>%d &#215; %d pixels</dd>\n", s->max_size, s->max_size);
    html(f, "<dt>Crop</dt><dd>%s, margin %g%s</dd>\n", um_crop_shape_name(s->crop), s->margin,
         s->align ? ", turned until the eyes are level" : "");
    if (s->min_face) html(f, "<dt>Smallest face</dt><dd>%d pixels</dd>\n", s->min_face);
    for (int i = 0; i < p->e->detector_files; i++)
      html(f, "<dt>Detector's file</dt><dd><span class=\"path\">%s</span><br/><span class=\"hash\">SHA-256 %s</span></dd>\n",
           p->e->detector[i].path, p->e->detector[i].sha256);
  }
  html(f, "</dl>\n");
}

static void rule_facts(const page *p) {
  FILE *f = p->f;
  char text[512];
  const um_scoring rule = um_preprocess_scoring(&p->s->preprocess);
  html(f, "<h3>From faces to a verdict</h3>\n<dl>\n<dt>Score of a person from the faces'</dt><dd>%s", um_frames_rule_name(rule.frames));
  if (rule.frames == UM_FRAMES_TOP_K) html(f, ", of the %d highest", rule.top_k);
  html(f, "</dd>\n");
  row(f, "Several people", rule.together ? "all faces together, as if of one" : "each has a score, the highest counts");
  row(f, "Calibration", um_calibration_text(text, sizeof text, &p->s->preprocess.calibration));
  if (p->r) html(f, "<dt>Intervals</dt><dd>%d resamples, seed %d</dd>\n", p->r->settings.resamples, UM_BOOTSTRAP_SEED);
  if (*p->s->forced) row(f, "Otherwise than trained (--force)", p->s->forced);
  html(f, "</dl>\n");
}

static void run_facts(const page *p) {
  FILE *f = p->f;
  const evidence *e = p->e;
  html(f, "<h3>Program and machine</h3>\n<dl>\n");
  row(f, "Program", "unmask infer " UM_VERSION);
  if (*e->program_sha256) html(f, "<dt>Its SHA-256</dt><dd class=\"hash\">%s</dd>\n", e->program_sha256);
  row(f, "Built by", e->compiler);
  html(f, "<dt>Libraries</dt><dd>");
  for (int i = 0; i < e->libraries; i++) html(f, "%s%s %s", i ? ", " : "", e->library[i].name, e->library[i].version);
  html(f, "</dd>\n<dt>Device</dt><dd>%s%s%s</dd>\n", e->backend, *e->device ? ": " : "", e->device);
  html(f, "<dt>Processor</dt><dd>%s%s%s</dd>\n", e->processor, *e->instructions ? ": " : "", e->instructions);
  if (e->onednn_isa && *e->onednn_isa) row(f, "oneDNN computes with", e->onednn_isa);
  row(f, "Started", e->started);
  html(f, "<dt>Took</dt><dd>%.1f s</dd>\n<dt>Command line</dt><dd><code>", e->seconds);
  for (int i = 0; i < e->words; i++) html(f, "%s%s", i ? " " : "", e->command[i]);
  html(f, "</code></dd>\n");
  if (p->o->json && strcmp(p->o->json, "-"))
    html(f,
         "<dt>All results as JSON</dt><dd><span class=\"path\">%s</span>; infer --verify does them again and says whether they hold</dd>\n",
         p->o->json);
  html(f, "</dl>\n");
}

void page_method(const page *p) {
  html(p->f, "<section class=\"card\" aria-labelledby=\"method\">\n<h2 id=\"method\">How this was made</h2>\n");
  model_facts(p);
  face_facts(p);
  rule_facts(p);
  run_facts(p);
  html(p->f, "</section>\n");
}
