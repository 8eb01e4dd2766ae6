#!/bin/sh
# Builds the fuzz targets as ClusterFuzzLite and OSS-Fuzz ask for: compilers, flags, engine and directories are those of the
# environment. Leaves in OUT each target with its options, dictionary and seeds.
set -eu
source=$SRC/rescind

cmake -S "$source" -B "$WORK/rescind" -G Ninja -DCMAKE_BUILD_TYPE=None -DRESCIND_FUZZ=environment -DRESCIND_CLI=OFF \
    -DRESCIND_TESTS=OFF
cmake --build "$WORK/rescind"

# What packs the seeds is no fuzz target: built for speed, without what the environment asks of those.
env -u CFLAGS -u CXXFLAGS -u LDFLAGS CC=clang cmake -S "$source" -B "$WORK/tools" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DRESCIND_TESTS=OFF
cmake --build "$WORK/tools" --target rescind

python3 "$source/scripts/lib/bundle.py" --binaries "$WORK/rescind/fuzz" --rescind "$WORK/tools/rescind" "$OUT"
