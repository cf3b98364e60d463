# Read by ./quickstart and ./check: stage lines with the time since the start, and the build.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${MUSTER_JOBS:-$(nproc)}

# Objects are found again whatever folder they were compiled in.
export CCACHE_NOHASHDIR=1
# What ccache asks for where headers are precompiled.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_ctime,include_file_mtime

say() {
    printf '[%3d s] %s\n' "$SECONDS" "$*"
}

# install_missing <set>...: goes on where packages cannot be installed; CMake then says what it lacks.
install_missing() {
    local code=0
    "$repository/scripts/install-packages" "$@" || code=$?
    ((code == 0 || code == 3))
}

# configure <preset> [cmake argument...]: only when there is no build tree yet, or the presets are
# newer than it; ninja itself notices every other change.
configure() {
    local preset=$1 tree=$repository/build/$1
    shift
    if (($# == 0)) && [[ -f $tree/build.ninja && ! $repository/CMakePresets.json -nt $tree/build.ninja ]]; then
        return 0
    fi
    say "configuring $preset"
    mkdir -p "$tree"
    if ! (cd "$repository" && cmake --preset "$preset" "$@") > "$tree/configure.log" 2>&1; then
        tail -n 30 "$tree/configure.log" >&2
        echo "configuring failed; all of it is in build/$preset/configure.log" >&2
        return 1
    fi
    touch "$tree/build.ninja"
}

# build <preset> <target>...: silent when there is nothing to do.
build() {
    local preset=$1
    shift
    local command=(cmake --build "$repository/build/$preset" --parallel "$jobs" --target "$@")
    if [[ $("${command[@]}" -- -n 2> /dev/null) == *"no work to do"* ]]; then
        return 0
    fi
    say "building $preset: $*"
    "${command[@]}"
}
