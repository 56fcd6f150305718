/* The one place that knows which oneDNN this is: 2.x (operation descriptors, memory descriptors by value) or 3.x (primitive
 * descriptors made in one call, memory descriptors on the heap). Everything here has the shape of 3.x; dnnl_compat.c maps it. */
#ifndef UM_CORE_CPU_DNNL_COMPAT_H
#define UM_CORE_CPU_DNNL_COMPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnnl.h>

/* A memory descriptor on the heap, and a borrowed one. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t um_md;
typedef const_dnnl_memory_desc_t um_md_ref;
#else
typedef dnnl_memory_desc_t *um_md;
typedef const dnnl_memory_desc_t *um_md_ref;
#endif

/* f32 descriptors: with strides in elements, of a named format (dnnl_format_tag_any: oneDNN chooses), and a copy. */
dnnl_status_t um_md_strided(um_md *out, int ndim, const int64_t *dim, const int64_t *stride);
dnnl_status_t um_md_tagged(um_md *out, int ndim, const int64_t *dim, dnnl_format_tag_t tag);
dnnl_status_t um_md_clone(um_md *out, um_md_ref md);
void um_md_free(um_md md);
bool um_md_equal(um_md_ref a, um_md_ref b);
size_t um_md_bytes(um_md_ref md);
/* The dims of md into dim; false where it has not exactly ndim of them. */
bool um_md_dims(um_md_ref md, int ndim, int64_t *dim);

/* dnnl_query_src_md and its like; NULL where the primitive has none. Borrowed from pd. */
um_md_ref um_pd_md(const_dnnl_primitive_desc_t pd, dnnl_query_t what);
/* For people and tables: "jit_wino:avx512_core". */
const char *um_pd_implementation(const_dnnl_primitive_desc_t pd);

/* Height and width of each. */
typedef struct um_dnnl_window {
  dnnl_dims_t kernel, stride, pad_before, pad_after; /* the first two count */
} um_dnnl_window;

/* prop_kind: dnnl_forward_training or dnnl_forward_inference. bias may be NULL. The backward ones take the forward pd as hint. */
dnnl_status_t um_pd_conv_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t prop, dnnl_alg_kind_t algorithm,
                                 um_md_ref src, um_md_ref weights, um_md_ref bias, um_md_ref dst, const um_dnnl_window *window,
                                 const_dnnl_primitive_attr_t attr);
dnnl_status_t um_pd_conv_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, um_md_ref src,
                                       um_md_ref weights, um_md_ref dst, const um_dnnl_window *window, const_dnnl_primitive_desc_t hint,
                                       const_dnnl_primitive_attr_t attr);
dnnl_status_t um_pd_conv_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, um_md_ref src,
                                          um_md_ref weights, um_md_ref bias, um_md_ref dst, const um_dnnl_window *window,
                                          const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr);
dnnl_status_t um_pd_pool_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t prop, dnnl_alg_kind_t algorithm,
                                 um_md_ref src, um_md_ref dst, const um_dnnl_window *window, const_dnnl_primitive_attr_t attr);
dnnl_status_t um_pd_pool_backward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, um_md_ref src, um_md_ref dst,
                                  const um_dnnl_window *window, const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr);
dnnl_status_t um_pd_dense_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t prop, um_md_ref src, um_md_ref weights,
                                  um_md_ref bias, um_md_ref dst, const_dnnl_primitive_attr_t attr);
dnnl_status_t um_pd_dense_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, um_md_ref src, um_md_ref weights, um_md_ref dst,
                                        const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr);
dnnl_status_t um_pd_dense_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, um_md_ref src, um_md_ref weights,
                                           um_md_ref bias, um_md_ref dst, const_dnnl_primitive_desc_t hint,
                                           const_dnnl_primitive_attr_t attr);

/* The instruction set that oneDNN chooses its code by, the processor's or less where $ONEDNN_MAX_CPU_ISA says so: "avx512_core". */
const char *um_dnnl_isa(void);

/* An attribute with the scratchpad in the user's hands and, where relu, max(x, 0) after the sum. */
dnnl_status_t um_attr_make(dnnl_primitive_attr_t *out, bool relu);

#endif
