#!/bin/sh
# Builds all fuzz targets for ClusterFuzzLite and OSS-Fuzz, with their seeds, options and dictionaries, into $OUT. Compilers,
# flags and engine are the environment's (CC CXX CFLAGS CXXFLAGS LIB_FUZZING_ENGINE); sources are in $SRC/rescind.
# RESCIND_TARGETS, if set, names the only targets that are wanted. `unicorn` is none: it needs a library that is not there.
set -eu
cd "$SRC/rescind"
targets=${RESCIND_TARGETS:-$(find fuzz -name '*.options' ! -name unicorn.options -exec basename {} .options \; | sort)}

cmake -S . -B "$WORK/fuzz" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_COMPILE_WARNING_AS_ERROR=OFF \
    -DRESCIND_FUZZ="$LIB_FUZZING_ENGINE" -DRESCIND_CLI=OFF -DRESCIND_TESTS=OFF
# shellcheck disable=SC2046,SC2086 # names without spaces
cmake --build "$WORK/fuzz" --target $(printf 'fuzz_%s ' $targets)

# Seeds are packed by a rescind without instrumentation.
env -u CC -u CXX -u CFLAGS -u CXXFLAGS cmake -S . -B "$WORK/tools" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_COMPILER="${TOOLS_CC:-clang}" -DCMAKE_COMPILE_WARNING_AS_ERROR=OFF -DRESCIND_TESTS=OFF
env -u CFLAGS cmake --build "$WORK/tools" --target rescind

for target in $targets; do
    cp "$WORK/fuzz/fuzz/$target" "fuzz/$target.options" "$OUT/"
    [ ! -e "fuzz/$target.dict" ] || cp "fuzz/$target.dict" "$OUT/"
    python3 scripts/lib/seeds.py "$WORK/tools/rescind" "$target" "$OUT/${target}_seed_corpus.zip"
done
