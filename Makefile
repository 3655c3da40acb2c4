# The front door: each target is one thing that a person wants. The build itself is CMake's, see CMakeLists.txt.
#
#   make              builds build/heed and the libraries
#   make test         installs what is missing, builds, runs every test
#   make demo         installs what is missing, builds, trains a translator of dates and shows what it attends to
#   make install      to PREFIX (/usr/local), below DESTDIR
#   make check-style  the rules of the house alone
#   make sanitize     the tests under AddressSanitizer and UndefinedBehaviorSanitizer, and under ThreadSanitizer
#   make minimal      the library alone, of it what reads and runs models, and its size
#   make clean
#
# CMAKE_FLAGS is passed on: make CMAKE_FLAGS="-DHEED_WERROR=ON -DCMAKE_C_COMPILER=clang"

BUILD  ?= build
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)

# $(call build,FOLDER,FLAGS)
build = cmake -S . -B $(1) $(2) $(CMAKE_FLAGS) && cmake --build $(1) --parallel $(JOBS)

all:
	$(call build,$(BUILD),-DHEED_TESTS=OFF)

test:
	tools/install-packages build test
	$(call build,$(BUILD),-DHEED_TESTS=ON)
	@tools/run-tests $(BUILD)

# The build's own words are worth reading only when it fails.
demo:
	@tools/install-packages build demo
	@echo "building (see $(BUILD)/build.log) ..."
	@mkdir -p $(BUILD)
	@{ $(call build,$(BUILD),-DHEED_TESTS=OFF); } >$(BUILD)/build.log 2>&1 || { tail -n 30 $(BUILD)/build.log; exit 1; }
	@tools/demo $(BUILD)/heed

install: all
	cmake $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	DESTDIR=$(DESTDIR) cmake --install $(BUILD)

check-style: all
	tools/check-house "" $(BUILD)

sanitize:
	tools/install-packages build test
	$(call build,$(BUILD)-address,-DHEED_SANITIZE=address$(comma)undefined)
	tools/run-tests $(BUILD)-address
	$(call build,$(BUILD)-thread,-DHEED_SANITIZE=thread)
	tools/run-tests $(BUILD)-thread --label-regex threads

minimal:
	tools/install-packages build
	$(call build,$(BUILD)-minimal,-DHEED_MINIMAL=ON)
	@strip -o $(BUILD)-minimal/libheed.stripped.so $(BUILD)-minimal/libheed.so
	@stat -c '$(BUILD)-minimal/libheed.so, stripped: %s bytes' $(BUILD)-minimal/libheed.stripped.so

comma := ,

clean:
	rm -rf $(BUILD) $(BUILD)-address $(BUILD)-thread $(BUILD)-minimal

.PHONY: all test demo install check-style sanitize minimal clean
