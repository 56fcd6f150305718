# unmask. Targets: all demo test bench check install clean deps weights golden gpu-test gpu-bench gpu-train gpu-pack mutate fuzz interop.
# Variables: CUDA=auto|0|1, ARCHS="80 90a", CUDNN=0, CC, CXX, NVCC, V=1, SAN=address,undefined, BUILD (objects), BIN (programs),
# PREFIX, PROGRAM_PREFIX (put before the installed programs' names), SECONDS (of make fuzz, a target). Sources are found by folder; a
# program is tools/NAME.c, tools/NAME/*.c, train/*.c or infer/*.c.

BUILD  ?= build
BIN    ?= bin
PREFIX ?= /usr/local
PROGRAM_PREFIX ?=
DATADIR = $(PREFIX)/share/unmask
CUDA   ?= auto
CC     ?= cc
VERSION := 0.1.0

PACKAGES := libavformat libavcodec libavfilter libavutil libswscale libpng libjpeg libcjson expat hdf5 zlib cairo
have_packages := $(shell pkg-config --exists $(PACKAGES) 2>/dev/null && echo yes)

is_clang := $(findstring clang,$(shell $(CC) --version 2>/dev/null))
# clang's OpenMP runtime and the one that oneDNN brings (gcc's) do not mix: built with clang, our own loops run on one thread.
OPENMP   := $(if $(is_clang),-Wno-unknown-pragmas,-fopenmp)
CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 -Wvla $(if $(WERROR),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
# Nobody asks errno about a square root, and with it the optimizer's cannot become a vector's.
UMFLAGS  := -std=c11 -D_GNU_SOURCE -I. -pthread -ffp-contract=off -fno-math-errno -MMD -MP $(OPENMP) $(WARN) $(SANFLAGS) \
            -DUM_VERSION='"$(VERSION)"' -DUM_DATADIR='"$(DATADIR)"' $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LIBS     := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -ldnnl -lm -pthread

lib_src   := $(wildcard core/*.c core/ref/*.c core/cpu/*.c data/*.c data/sets/*.c weights/*.c faces/*.c plot/*.c)
lib_obj   := $(lib_src:%.c=$(BUILD)/%.o)
lib       := $(BUILD)/libunmask.a
tool_dirs := $(patsubst tools/%/,%,$(filter-out $(wildcard tools/*.*),$(wildcard tools/*/)))
tool_one  := $(patsubst tools/%.c,%,$(wildcard tools/*.c))
programs  := $(if $(wildcard train/*.c),train) $(if $(wildcard infer/*.c),infer) $(tool_one) $(tool_dirs)
tests     := $(patsubst tests/%.c,%,$(wildcard tests/test_*.c)) $(if $(wildcard tests/checkops.c),checkops)
support   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
benches   := $(patsubst tests/%.c,%,$(wildcard tests/bench_*.c))

# CUDA: auto builds cuda/ where nvcc is found. Only the programs that compute are linked with it, and with no CUDA library but the
# runtime's static one, so that they start on a machine without any. ARCHS are sm_ numbers; PTX of PTX_ARCH serves newer GPUs.
ARCHS     ?= 80 90a
PTX_ARCH  ?= 90
CUDNN     ?= 1
NVCC      ?= $(shell command -v nvcc 2>/dev/null || ls /usr/local/cuda/bin/nvcc 2>/dev/null)
NVCCFLAGS ?= -O3
CXXFLAGS  ?= -O2 -g
ifeq ($(CUDA),1)
  ifeq ($(NVCC),)
    $(error CUDA=1: nvcc was not found; put it on PATH or give NVCC=/path/to/nvcc, or build with CUDA=0)
  endif
endif
use_cuda  := $(if $(filter 0,$(CUDA)),,$(if $(NVCC),yes))
cuda_src  := $(wildcard cuda/*.cu cuda/*.c)
computing := train infer doctor
ifneq ($(use_cuda),)
  cuda_home  := $(abspath $(dir $(realpath $(NVCC)))/..)
  cuda_obj   := $(patsubst %,$(BUILD)/%.o,$(cuda_src))
  have       = $(if $(filter-out 0,$(CUDNN)),$(wildcard $(addsuffix /$(1),$(cuda_home)/include /usr/include /usr/include/x86_64-linux-gnu)))
  cudaflags  := -isystem $(cuda_home)/include $(if $(call have,cudnn.h),-DUM_HAVE_CUDNN) $(if $(call have,cublasLt.h),-DUM_HAVE_CUBLAS)
  cuda_libs  := -L$(cuda_home)/lib64 -L$(cuda_home)/lib -lcudart_static -ldl -lrt -lstdc++
  gencode    := $(foreach a,$(ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) -gencode arch=compute_$(PTX_ARCH),code=compute_$(PTX_ARCH)
  nvccflags  := -std=c++17 -I. $(gencode) -Xcompiler -Wall,-Wextra,-Wno-unused-parameter $(if $(WERROR),-Werror all-warnings)
endif

# The same sources for the host, on the emulated device of tests/cuda_host; every make test runs them.
host_src  := $(cuda_src) $(filter-out tests/cuda_host/test_%,$(wildcard tests/cuda_host/*.c tests/cuda_host/*.cpp tests/cuda_host/*.cu))
host_obj  := $(patsubst %,$(BUILD)/host/%.o,$(host_src))
host_tests := $(patsubst tests/cuda_host/%,%,$(basename $(wildcard tests/cuda_host/test_*.c tests/cuda_host/test_*.cu))) checkops
hostflags := -DUM_CUDA_HOST -Itests/cuda_host

# The readers under libFuzzer (tests/fuzz): the library once more with clang's sanitizers and counters; where clang or its libFuzzer is
# missing, with $(CC)'s sanitizers and tests/fuzz/driver.c. With SAN the library is such a one already, and make test is short here.
FUZZ_CC    ?= clang
SECONDS    ?= 600
fuzzers    := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_rt    := $(shell $(FUZZ_CC) -print-runtime-dir 2>/dev/null)
libfuzzer  := $(if $(SAN),,$(wildcard $(fuzz_rt:%=%/libclang_rt.fuzzer*.a) $(fuzz_rt:%=%/../linux/libclang_rt.fuzzer*.a)))
fuzz_cc    := $(if $(libfuzzer),$(FUZZ_CC),$(CC))
fuzz_san   := $(or $(SANFLAGS),-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer)
fuzz_flags := -O1 -g $(filter-out $(SANFLAGS) -fopenmp,$(UMFLAGS)) -Wno-unknown-pragmas $(if $(libfuzzer),-fsanitize=fuzzer-no-link,-Wno-maybe-uninitialized) $(fuzz_san)
fuzz_obj   := $(if $(libfuzzer),,$(BUILD)/fuzz/tests/fuzz/driver.o)
fuzz_lib   := $(if $(SAN),$(lib),$(BUILD)/fuzz/libunmask.a)
run-tests: export UM_FUZZ_SECONDS := $(if $(SAN),1)

# A line a file; V=1 shows the whole commands, -s nothing.
silent = $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V),,@$(if $(silent),,printf '  %-3s %s\n' $(1) $@;) )

all: found $(programs:%=$(BIN)/%)

# The second half runs in a make of its own so that packages which deps just installed are seen.
found:
ifneq ($(have_packages),yes)
	@echo "make: development packages are missing; 'make deps' lists and installs them:" >&2
	@pkg-config --print-errors --exists $(PACKAGES); false
else
	@echo "unmask $(VERSION): $(CC), $(if $(is_clang),our own loops on one thread,OpenMP), $(if $(use_cuda),CUDA for sm $(ARCHS) ($(NVCC); cuDNN $(if $(call have,cudnn.h),yes,no), cuBLASLt $(if $(call have,cublasLt.h),yes,no)),no CUDA$(if $(filter 0,$(CUDA)),, (nvcc not found)))"
endif

deps:
	@sh tools/deps.sh

weights: found $(BIN)/weights
	@$(BIN)/weights fetch

# Makes the golden numbers again: every script under tests/golden, with the Python that has what its first lines name.
PYTHON ?= python3
golden:
	@for s in tests/golden/*.py; do echo "$$s"; $(PYTHON) $$s || failed="$$failed $$s"; done; \
	[ -z "$$failed" ] || { echo "make: golden: failed:$$failed; PYTHON=... chooses the interpreter" >&2; exit 1; }

define need_deps
	@sh tools/deps.sh --quiet
endef

test:
	$(need_deps)
	@$(MAKE) --no-print-directory run-tests

test-programs: all $(tests:%=$(BUILD)/tests/%) $(host_tests:%=$(BUILD)/tests/cuda_host/%) $(patsubst tests/gpu/%.c,$(BUILD)/tests/cuda_host/%,$(wildcard tests/gpu/gpu_*.c)) $(fuzzers:%=$(BUILD)/fuzz/%)

run-tests: test-programs
	@sh tests/run.sh $(BUILD) $(BIN)

fuzz: $(fuzzers:%=$(BUILD)/fuzz/%)
	@sh tests/fuzz/run.sh $(BUILD) $(SECONDS)

demo:
	$(need_deps)
	@$(MAKE) --no-print-directory all
	@sh tools/demo.sh $(BIN)

bench: all $(benches:%=$(BUILD)/tests/%)
	@sh tests/bench.sh $(BUILD) $(BIN)

# The real Keras, PyTorch and onnxruntime open our files and we theirs; their environments are made below BUILD/interop, with pip.
interop: all
	@sh tools/deps.sh --interop
	@sh tests/interop/run.sh $(BUILD) $(BIN)

# Leaves out each barrier of the kernels in turn: a test must fail every time.
mutate: $(host_tests:%=$(BUILD)/tests/cuda_host/%)
	@sh tests/cuda_host/mutate.sh $(BUILD)

# Warnings are errors with gcc and clang; format; cppcheck; the test suite under the sanitizers.
check:
	@sh tests/check.sh

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(DATADIR)/configs $(DESTDIR)$(DATADIR)/weights
	for p in $(programs); do install -m 755 $(BIN)/$$p $(DESTDIR)$(PREFIX)/bin/$(PROGRAM_PREFIX)$$p; done
	install -m 644 configs/*.json $(DESTDIR)$(DATADIR)/configs
	install -m 644 weights/manifest.json $(DESTDIR)$(DATADIR)/weights

clean:
	rm -rf $(BUILD) $(BIN)

$(lib): $(lib_obj)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR)ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS) $(UMFLAGS) -c -o $@ $<

$(BUILD)/cuda/%.c.o: cuda/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS) $(UMFLAGS) $(cudaflags) -c -o $@ $<

$(BUILD)/cuda/%.cu.o: cuda/%.cu
	@mkdir -p $(@D)
	$(call say,NV)$(NVCC) $(NVCCFLAGS) $(nvccflags) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$(BUILD)/host/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS) $(hostflags) $(UMFLAGS) -c -o $@ $<

# A vector at an address that is not aligned is an error on a GPU: here it traps.
host_cxx = $(CXX) $(CXXFLAGS) -std=c++17 -x c++ -D_GNU_SOURCE -I. $(hostflags) -fno-exceptions -fno-rtti -ffp-contract=off -Wall -Wextra -Wno-unknown-pragmas -MMD -MP \
           $(or $(SANFLAGS),-fsanitize=alignment -fsanitize-undefined-trap-on-error)
$(BUILD)/host/%.cu.o: %.cu
	@mkdir -p $(@D)
	$(call say,C++)$(host_cxx) -c -o $@ $<
$(BUILD)/host/%.cpp.o: %.cpp
	@mkdir -p $(@D)
	$(call say,C++)$(host_cxx) -c -o $@ $<

define program
$(BIN)/$(1): $(2) $(lib) $(if $(filter $(1),$(computing)),$(cuda_obj))
	@mkdir -p $$(@D)
	$$(call say,LD)$(CC) $(CFLAGS) $(UMFLAGS) -o $$@ $(2) $(if $(filter $(1),$(computing)),$(cuda_obj)) $(lib) $(LIBS) $(if $(filter $(1),$(computing)),$(cuda_libs))
endef
objs = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
$(eval $(call program,train,$(call objs,train/*.c)))
$(eval $(call program,infer,$(call objs,infer/*.c)))
$(foreach t,$(tool_one),$(eval $(call program,$(t),$(BUILD)/tools/$(t).o)))
$(foreach t,$(tool_dirs),$(eval $(call program,$(t),$(call objs,tools/$(t)/*.c))))

host_link = $(CC) $(CFLAGS) $(UMFLAGS) -rdynamic -o $@ $(1) $(host_obj) $(support) $(lib) $(LIBS) -lcmocka -lstdc++ -ldl
$(BUILD)/tests/cuda_host/checkops: $(BUILD)/tests/checkops.o $(host_obj) $(support) $(lib)
	@mkdir -p $(@D)
	$(call say,LD)$(call host_link,$<)
$(BUILD)/tests/cuda_host/%: $(BUILD)/host/tests/cuda_host/%.c.o $(host_obj) $(support) $(lib)
	@mkdir -p $(@D)
	$(call say,LD)$(call host_link,$<)
$(BUILD)/tests/cuda_host/%: $(BUILD)/host/tests/cuda_host/%.cu.o $(host_obj) $(support) $(lib)
	@mkdir -p $(@D)
	$(call say,LD)$(call host_link,$<)

# The programs themselves on that device, for test_program.
host_programs := train infer
$(BUILD)/tests/cuda_host/test_program: $(host_programs:%=$(BUILD)/tests/cuda_host/%)
define host_program
$(BUILD)/tests/cuda_host/$(1): $(2) $(host_obj) $(lib)
	@mkdir -p $$(@D)
	$$(call say,LD)$(CC) $(CFLAGS) $(UMFLAGS) -rdynamic -o $$@ $(2) $(filter-out %/rig.c.o,$(host_obj)) $(lib) $(LIBS) -lstdc++ -ldl
endef
$(foreach p,$(host_programs),$(eval $(call host_program,$(p),$(call objs,$(p)/*.c))))

# The one test that links the GPU's own objects: it asks the real cuDNN for plans, which takes no GPU.
$(BUILD)/tests/test_cudnn_plans.o: UMFLAGS += $(cudaflags)
$(BUILD)/tests/test_cudnn_plans: $(BUILD)/tests/test_cudnn_plans.o $(cuda_obj) $(support) $(lib)
	$(call say,LD)$(CC) $(CFLAGS) $(UMFLAGS) -o $@ $< $(cuda_obj) $(support) $(lib) $(LIBS) $(cuda_libs) -lcmocka

$(BUILD)/fuzz/libunmask.a: $(lib_src:%.c=$(BUILD)/fuzz/%.o)
	@rm -f $@
	$(call say,AR)ar rcs $@ $^
$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(fuzz_cc) $(fuzz_flags) -c -o $@ $<
$(fuzzers:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/fuzz/%.o $(fuzz_obj) $(fuzz_lib)
	$(call say,LD)$(fuzz_cc) $(fuzz_flags) $(if $(SAN),-fopenmp) $(if $(libfuzzer),-fsanitize=fuzzer) -o $@ $< $(fuzz_obj) $(fuzz_lib) $(LIBS)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(support) $(lib)
	$(call say,LD)$(CC) $(CFLAGS) $(UMFLAGS) -o $@ $< $(support) $(lib) $(LIBS) -lcmocka

include tests/gpu/rules.mk

.PHONY: all found deps weights golden test test-programs run-tests mutate fuzz interop demo bench check install clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
