# The programs of tests/gpu, included by the Makefile. They link core/, cuda/ and the checks of tests/support, so they need oneDNN and cJSON
# but neither FFmpeg nor HDF5; train and infer for a bare machine need all but FFmpeg. $(BUILD)/gpu/NAME is for a GPU;
# $(BUILD)/tests/cuda_host/NAME the same on the emulated device, with which make test runs each with --small.

gpu_programs := $(patsubst tests/gpu/%.c,%,$(wildcard tests/gpu/gpu_*.c))
gpu_core     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard core/*.c core/ref/*.c core/cpu/*.c tests/support/check*.c))
gpu_support  := $(wildcard tests/gpu/support/*.c)
gpu_libs     := $(shell pkg-config --libs libcjson 2>/dev/null || echo -lcjson) -ldnnl -lm -pthread
# Programs of tests/cuda_host that use the op table and the runtime alone, and so run on a GPU as they are.
gpu_borrowed := $(filter test_ways test_layers test_steps test_model,$(patsubst tests/cuda_host/%.c,%,$(wildcard tests/cuda_host/test_*.c)))

gpu_here := $(gpu_support:%.c=$(BUILD)/gpu/obj/%.o)
gpu_emulated := $(gpu_support:%.c=$(BUILD)/host/%.c.o)
# -S: names of functions are kept, the rest of what debuggers want would be a quarter of the pack.
gpu_link = $(CC) $(CFLAGS) $(UMFLAGS) -Wl,-S -o $@ $(filter %.o,$^) -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/lib' $(gpu_libs) $(cuda_libs)
# gpu_faces: the detector with its readers of weights, but for those that need HDF5 (tests/gpu/faces/open.c).
gpu_faces := $(patsubst %.c,$(BUILD)/%.o,faces/found.c $(wildcard faces/mtcnn_*.c tests/gpu/faces/*.c) \
               $(addprefix weights/,items.c manifest.c layout.c map.c match.c metadata.c numbers.c pickle.c st_source.c torch.c torch_names.c zip.c))
$(BUILD)/gpu/gpu_faces $(BUILD)/tests/cuda_host/gpu_faces: $(gpu_faces)
$(BUILD)/gpu/gpu_faces $(BUILD)/tests/cuda_host/gpu_faces: gpu_libs += -lz

$(BUILD)/gpu/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS) $(UMFLAGS) $(cudaflags) -c -o $@ $<

$(BUILD)/gpu/checkops: $(BUILD)/tests/checkops.o $(cuda_obj) $(gpu_core)
	$(call say,LD)$(gpu_link)
$(gpu_borrowed:%=$(BUILD)/gpu/%): $(BUILD)/gpu/%: $(BUILD)/gpu/obj/tests/cuda_host/%.o $(BUILD)/gpu/obj/tests/cuda_host/rig.o \
    $(addprefix $(BUILD)/tests/support/,model_fixture.o gradcam_fixture.o golden.o) $(cuda_obj) $(gpu_core)
	$(call say,LD)$(gpu_link) -lcmocka
$(gpu_programs:%=$(BUILD)/gpu/%): $(BUILD)/gpu/%: $(BUILD)/gpu/obj/tests/gpu/%.o $(gpu_here) $(cuda_obj) $(gpu_core)
	$(call say,LD)$(gpu_link)

$(gpu_programs:%=$(BUILD)/tests/cuda_host/%): $(BUILD)/tests/cuda_host/%: $(BUILD)/host/tests/gpu/%.c.o $(gpu_emulated) $(host_obj) $(gpu_core)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) $(UMFLAGS) -rdynamic -o $@ $(filter %.o,$^) $(gpu_libs) -lstdc++ -ldl

# The primitives that kernels are made of, against their definitions: on a GPU it says whether the emulation means the same.
$(BUILD)/gpu/test_primitives: tests/cuda_host/test_primitives.cu
	@mkdir -p $(@D)
	$(call say,NV)$(NVCC) $(NVCCFLAGS) $(nvccflags) -MMD -MP -MF $@.d -o $@ $<

# train and infer themselves, with train/no_ffmpeg.c in place of what speaks with FFmpeg; in bin/, where train_pack.sh puts what they need.
# build/tests/cuda_host/bare/NAME are the same on the emulated device, for check_train.sh.
bare_libs := $(shell pkg-config --libs $(filter-out libav% libsw%,$(PACKAGES)) 2>/dev/null) -ldnnl -lm -pthread
bare_obj  := $(BUILD)/tests/gpu/train/no_ffmpeg.o
bare_host := $(filter-out %/rig.c.o,$(host_obj))
define bare_program
$(BUILD)/gpu/bin/$(1): $(2) $(bare_obj) $(cuda_obj) $(lib)
	@mkdir -p $$(@D)
	$$(call say,LD)$(CC) $(CFLAGS) $(UMFLAGS) -s -o $$@ $(2) $(bare_obj) $(cuda_obj) $(lib) -Wl,--disable-new-dtags,-rpath,'$$$$ORIGIN/../lib:$$$$ORIGIN/lib' $(bare_libs) $(cuda_libs)
$(BUILD)/tests/cuda_host/bare/$(1): $(2) $(bare_obj) $(bare_host) $(lib)
	@mkdir -p $$(@D)
	$$(call say,LD)$(CC) $(CFLAGS) $(UMFLAGS) -rdynamic -o $$@ $(2) $(bare_obj) $(bare_host) $(lib) $(bare_libs) -lstdc++ -ldl
endef
$(foreach p,train infer,$(eval $(call bare_program,$(p),$(call objs,$(p)/*.c))))
run-tests: $(addprefix $(BUILD)/tests/cuda_host/bare/,train infer)

gpu_all := $(addprefix $(BUILD)/gpu/,$(gpu_programs) $(gpu_borrowed) test_primitives checkops bin/train bin/infer)

# Without nvcc this says so; without a GPU the programs do, in the driver's words.
gpu-programs: $(if $(use_cuda),$(gpu_all))
ifeq ($(use_cuda),)
	@echo "make: $(or $(filter gpu-%,$(MAKECMDGOALS)),gpu-programs): $(if $(filter 0,$(CUDA)),nothing is built for a GPU with CUDA=0; give CUDA=1,nvcc was not found; put it on PATH or give NVCC=/path/to/nvcc)" >&2; false
else
	@true
endif

gpu-test: gpu-programs
	@sh tests/gpu/test.sh $(BUILD)/gpu

gpu-bench: gpu-programs
	@sh tests/gpu/bench.sh $(BUILD)/gpu

# The two commands of a training on faces: FACES=DIR holds train/ and val/.
gpu-train: gpu-programs
	@sh tests/gpu/train.sh $(BUILD)/gpu "$(FACES)"

# All of it with the libraries that it needs, as $(BUILD)/gpu.tar.gz, to be run on another machine.
gpu-pack: gpu-programs
	@sh tests/gpu/pack.sh $(BUILD)/gpu

.PHONY: gpu-programs gpu-test gpu-bench gpu-train gpu-pack
