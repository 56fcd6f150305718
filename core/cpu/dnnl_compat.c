#include "core/cpu/dnnl_compat.h"

#include <stdlib.h>
#include <string.h>

static const dnnl_dims_t no_dilation = {0};

size_t um_md_bytes(um_md_ref md) { return dnnl_memory_desc_get_size(md); }
bool um_md_equal(um_md_ref a, um_md_ref b) { return dnnl_memory_desc_equal(a, b) != 0; }

um_md_ref um_pd_md(const_dnnl_primitive_desc_t pd, dnnl_query_t what) {
  um_md_ref md = dnnl_primitive_desc_query_md(pd, what, 0);
  return md && um_md_bytes(md) > 0 ? md : NULL;
}

const char *um_pd_implementation(const_dnnl_primitive_desc_t pd) {
  const char *text = NULL;
  return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &text) == dnnl_success && text ? text : "?";
}

const char *um_dnnl_isa(void) {
  switch ((int)dnnl_get_effective_cpu_isa()) {
  case dnnl_cpu_isa_sse41: return "sse41";
  case dnnl_cpu_isa_avx: return "avx";
  case dnnl_cpu_isa_avx2: return "avx2";
  case dnnl_cpu_isa_avx2_vnni: return "avx2_vnni";
  case dnnl_cpu_isa_avx512_core: return "avx512_core";
  case dnnl_cpu_isa_avx512_core_vnni: return "avx512_core_vnni";
  case dnnl_cpu_isa_avx512_core_bf16: return "avx512_core_bf16";
  case dnnl_cpu_isa_avx512_core_amx: return "avx512_core_amx";
#if DNNL_VERSION_MAJOR >= 3
  case dnnl_cpu_isa_avx512_core_fp16: return "avx512_core_fp16";
#endif
  case 0: return "all"; /* dnnl_cpu_isa_all, which oneDNN 3 calls dnnl_cpu_isa_default */
  default: return "other";
  }
}

dnnl_status_t um_attr_make(dnnl_primitive_attr_t *out, bool relu) {
  dnnl_post_ops_t ops = NULL;
  dnnl_status_t s = dnnl_primitive_attr_create(out);
  if (s == dnnl_success) s = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
  if (s == dnnl_success && relu) {
    s = dnnl_post_ops_create(&ops);
#if DNNL_VERSION_MAJOR >= 3
    if (s == dnnl_success) s = dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0.f, 0.f);
#else
    if (s == dnnl_success) s = dnnl_post_ops_append_eltwise(ops, 1.f, dnnl_eltwise_relu, 0.f, 0.f);
#endif
    if (s == dnnl_success) s = dnnl_primitive_attr_set_post_ops(*out, ops);
    if (ops) dnnl_post_ops_destroy(ops);
  }
  return s;
}

#if DNNL_VERSION_MAJOR >= 3

dnnl_status_t um_md_strided(um_md *out, int ndim, const int64_t *dim, const int64_t *stride) {
  return dnnl_memory_desc_create_with_strides(out, ndim, dim, dnnl_f32, stride);
}
dnnl_status_t um_md_tagged(um_md *out, int ndim, const int64_t *dim, dnnl_format_tag_t tag) {
  return dnnl_memory_desc_create_with_tag(out, ndim, dim, dnnl_f32, tag);
}
dnnl_status_t um_md_clone(um_md *out, um_md_ref md) { return dnnl_memory_desc_clone(out, md); }
bool um_md_dims(um_md_ref md, int ndim, int64_t *dim) {
  int n = 0;
  dnnl_dims_t *d = NULL;
  if (dnnl_memory_desc_query(md, dnnl_query_ndims_s32, &n) != dnnl_success || n != ndim) return false;
  if (dnnl_memory_desc_query(md, dnnl_query_dims, &d) != dnnl_success) return false;
  memcpy(dim, *d, (size_t)ndim * sizeof *dim);
  return true;
}
void um_md_free(um_md md) {
  if (md) dnnl_memory_desc_destroy(md);
}

dnnl_status_t um_pd_conv_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t prop, dnnl_alg_kind_t algorithm,
                                 um_md_ref src, um_md_ref weights, um_md_ref bias, um_md_ref dst, const um_dnnl_window *window,
                                 const_dnnl_primitive_attr_t attr) {
  return dnnl_convolution_forward_primitive_desc_create(pd, engine, prop, algorithm, src, weights, bias, dst, window->stride, no_dilation,
                                                        window->pad_before, window->pad_after, attr);
}
dnnl_status_t um_pd_conv_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, um_md_ref src,
                                       um_md_ref weights, um_md_ref dst, const um_dnnl_window *window, const_dnnl_primitive_desc_t hint,
                                       const_dnnl_primitive_attr_t attr) {
  return dnnl_convolution_backward_data_primitive_desc_create(pd, engine, algorithm, src, weights, dst, window->stride, no_dilation,
                                                              window->pad_before, window->pad_after, hint, attr);
}
dnnl_status_t um_pd_conv_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, um_md_ref src,
                                          um_md_ref weights, um_md_ref bias, um_md_ref dst, const um_dnnl_window *window,
                                          const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
  return dnnl_convolution_backward_weights_primitive_desc_create(pd, engine, algorithm, src, weights, bias, dst, window->stride,
                                                                 no_dilation, window->pad_before, window->pad_after, hint, attr);
}
dnnl_status_t um_pd_pool_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t prop, dnnl_alg_kind_t algorithm,
                                 um_md_ref src, um_md_ref dst, const um_dnnl_window *window, const_dnnl_primitive_attr_t attr) {
  return dnnl_pooling_forward_primitive_desc_create(pd, engine, prop, algorithm, src, dst, window->stride, window->kernel, no_dilation,
                                                    window->pad_before, window->pad_after, attr);
}
dnnl_status_t um_pd_pool_backward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, um_md_ref src, um_md_ref dst,
                                  const um_dnnl_window *window, const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
  return dnnl_pooling_backward_primitive_desc_create(pd, engine, algorithm, src, dst, window->stride, window->kernel, no_dilation,
                                                     window->pad_before, window->pad_after, hint, attr);
}
dnnl_status_t um_pd_dense_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t prop, um_md_ref src, um_md_ref weights,
                                  um_md_ref bias, um_md_ref dst, const_dnnl_primitive_attr_t attr) {
  return dnnl_inner_product_forward_primitive_desc_create(pd, engine, prop, src, weights, bias, dst, attr);
}
dnnl_status_t um_pd_dense_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, um_md_ref src, um_md_ref weights, um_md_ref dst,
                                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
  return dnnl_inner_product_backward_data_primitive_desc_create(pd, engine, src, weights, dst, hint, attr);
}
dnnl_status_t um_pd_dense_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, um_md_ref src, um_md_ref weights,
                                           um_md_ref bias, um_md_ref dst, const_dnnl_primitive_desc_t hint,
                                           const_dnnl_primitive_attr_t attr) {
  return dnnl_inner_product_backward_weights_primitive_desc_create(pd, engine, src, weights, bias, dst, hint, attr);
}

#else

static dnnl_status_t keep(um_md *out, const dnnl_memory_desc_t *md) {
  *out = malloc(sizeof **out);
  if (!*out) return dnnl_out_of_memory;
  **out = *md;
  return dnnl_success;
}
dnnl_status_t um_md_strided(um_md *out, int ndim, const int64_t *dim, const int64_t *stride) {
  dnnl_memory_desc_t md;
  dnnl_status_t s = dnnl_memory_desc_init_by_strides(&md, ndim, dim, dnnl_f32, stride);
  return s == dnnl_success ? keep(out, &md) : s;
}
dnnl_status_t um_md_tagged(um_md *out, int ndim, const int64_t *dim, dnnl_format_tag_t tag) {
  dnnl_memory_desc_t md;
  dnnl_status_t s = dnnl_memory_desc_init_by_tag(&md, ndim, dim, dnnl_f32, tag);
  return s == dnnl_success ? keep(out, &md) : s;
}
dnnl_status_t um_md_clone(um_md *out, um_md_ref md) { return keep(out, md); }
bool um_md_dims(um_md_ref md, int ndim, int64_t *dim) {
  if (md->ndims != ndim) return false;
  memcpy(dim, md->dims, (size_t)ndim * sizeof *dim);
  return true;
}
void um_md_free(um_md md) { free(md); }

dnnl_status_t um_pd_conv_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t prop, dnnl_alg_kind_t algorithm,
                                 um_md_ref src, um_md_ref weights, um_md_ref bias, um_md_ref dst, const um_dnnl_window *window,
                                 const_dnnl_primitive_attr_t attr) {
  dnnl_convolution_desc_t d;
  dnnl_status_t s = dnnl_dilated_convolution_forward_desc_init(&d, prop, algorithm, src, weights, bias, dst, window->stride, no_dilation,
                                                               window->pad_before, window->pad_after);
  return s == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, NULL) : s;
}
dnnl_status_t um_pd_conv_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, um_md_ref src,
                                       um_md_ref weights, um_md_ref dst, const um_dnnl_window *window, const_dnnl_primitive_desc_t hint,
                                       const_dnnl_primitive_attr_t attr) {
  dnnl_convolution_desc_t d;
  dnnl_status_t s = dnnl_dilated_convolution_backward_data_desc_init(&d, algorithm, src, weights, dst, window->stride, no_dilation,
                                                                     window->pad_before, window->pad_after);
  return s == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, hint) : s;
}
dnnl_status_t um_pd_conv_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, um_md_ref src,
                                          um_md_ref weights, um_md_ref bias, um_md_ref dst, const um_dnnl_window *window,
                                          const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
  dnnl_convolution_desc_t d;
  dnnl_status_t s = dnnl_dilated_convolution_backward_weights_desc_init(&d, algorithm, src, weights, bias, dst, window->stride, no_dilation,
                                                                        window->pad_before, window->pad_after);
  return s == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, hint) : s;
}
dnnl_status_t um_pd_pool_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t prop, dnnl_alg_kind_t algorithm,
                                 um_md_ref src, um_md_ref dst, const um_dnnl_window *window, const_dnnl_primitive_attr_t attr) {
  dnnl_pooling_desc_t d;
  dnnl_status_t s =
      dnnl_pooling_forward_desc_init(&d, prop, algorithm, src, dst, window->stride, window->kernel, window->pad_before, window->pad_after);
  return s == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, NULL) : s;
}
dnnl_status_t um_pd_pool_backward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, um_md_ref src, um_md_ref dst,
                                  const um_dnnl_window *window, const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
  dnnl_pooling_desc_t d;
  dnnl_status_t s =
      dnnl_pooling_backward_desc_init(&d, algorithm, src, dst, window->stride, window->kernel, window->pad_before, window->pad_after);
  return s == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, hint) : s;
}
dnnl_status_t um_pd_dense_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t prop, um_md_ref src, um_md_ref weights,
                                  um_md_ref bias, um_md_ref dst, const_dnnl_primitive_attr_t attr) {
  dnnl_inner_product_desc_t d;
  dnnl_status_t s = dnnl_inner_product_forward_desc_init(&d, prop, src, weights, bias, dst);
  return s == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, NULL) : s;
}
dnnl_status_t um_pd_dense_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, um_md_ref src, um_md_ref weights, um_md_ref dst,
                                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
  dnnl_inner_product_desc_t d;
  dnnl_status_t s = dnnl_inner_product_backward_data_desc_init(&d, src, weights, dst);
  return s == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, hint) : s;
}
dnnl_status_t um_pd_dense_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, um_md_ref src, um_md_ref weights,
                                           um_md_ref bias, um_md_ref dst, const_dnnl_primitive_desc_t hint,
                                           const_dnnl_primitive_attr_t attr) {
  dnnl_inner_product_desc_t d;
  dnnl_status_t s = dnnl_inner_product_backward_weights_desc_init(&d, src, weights, bias, dst);
  return s == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, hint) : s;
}

#endif
